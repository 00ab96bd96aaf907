// Package receiver holds a webhook receiver in Node, receiver.mjs, and the test
// that sends it what Proofline sends.
package receiver
