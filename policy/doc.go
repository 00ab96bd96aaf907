// Package policy turns what the pipeline measured into a decision that can be
// explained and replayed.
//
// A pipeline stage reports a [Finding]: measures (numbers with units) and
// assertions (statements such as "no MRZ was found"). It knows no threshold.
// A [Policy], read from one YAML file, holds every threshold, the evidence a
// case needs, how long evidence is kept and what each reason code leads to.
// [Policy.Decide] judges the findings and gives a [Decision].
//
// Decide is a pure function of the policy, the findings and the case's
// context: no clock, no I/O, no randomness. The same input gives the same
// decision byte for byte, which is what makes receipts and what-if
// simulations possible.
//
// The reason codes are one catalogue (codes.yaml). Codes are stable API: they
// are never renamed, only added.
package policy
