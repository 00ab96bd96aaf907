// Package load puts load on a Proofline server, for `proofline bench`: people
// who come at a rate or one after another, each with the photos of one case,
// over the real HTTP API.
//
// [Run] drives a [Plan]: closed, where a fixed number of people each start the
// next case when theirs is decided, or open, where people come whether or not
// the server keeps up. In the open loop every time counts from the moment at
// which the person was to come, not from when the generator got round to
// sending, so that a server that stalls does not hide the wait of everybody
// behind the stall ("coordinated omission"). [Person] plays one case,
// [Recorder] keeps what it took, [Processes] what the server's processes used.
package load
