// Package licences holds no code: its test writes docs/licences.md, the list of
// what the binary and the capture page are made of, and fails when a module is
// added whose licence is not one that may be in them.
package licences
