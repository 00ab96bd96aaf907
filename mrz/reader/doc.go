// Package reader finds a machine-readable zone in a photo and reads it.
//
// Reader is the type to know. Read looks for text of constant pitch in long
// parallel lines, at any angle, straightens each candidate and reads it; the
// lines go through package mrz, whose check digits may confirm a repair of
// characters that the recogniser itself found doubtful. Every repair is
// reported. A photo without a zone gives a Result with Found false, not an
// error.
package reader
