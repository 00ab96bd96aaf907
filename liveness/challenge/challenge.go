// Package challenge draws what a person is asked to do before the camera: turns
// of the head in an order and at times that nobody knew before. Package liveness
// verifies them from frames; this package is pure Go, so that whoever asks needs
// no vision. [New] draws the steps; [NonceOf] reads which challenge a file of
// frames answers.
package challenge

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
)

// Turn is where the head goes, as the person sees it.
type Turn string

// The turns that six points of a face can tell apart.
const (
	Left  Turn = "left"
	Right Turn = "right"
	Up    Turn = "up"
	Down  Turn = "down"
)

// Turns lists them.
var Turns = []Turn{Left, Right, Up, Down}

// Step is one turn: the head is to be turned that way by the end of its time.
// Times are milliseconds since the first frame.
type Step struct {
	Turn Turn `json:"turn"`
	At   int  `json:"at_ms"`
	For  int  `json:"for_ms"`
}

// Bounds of a challenge.
const (
	// Steps of a challenge, none twice in a row: 4·3·3·3 = 108 orders.
	Steps = 4
	// LeadMS is how long the person looks straight first: what every turn is
	// measured against.
	LeadMS = 1000
	// ShortestMS and LongestMS bound one step.
	ShortestMS, LongestMS = 1300, 1700
	// TailMS is how long frames go on after the last step.
	TailMS = 200
)

// New draws the turns and their times from the system's random source.
func New() ([]Step, error) {
	draw := func(n int) (int, error) {
		v, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
		if err != nil {
			return 0, fmt.Errorf("draw challenge: %w", err)
		}
		return int(v.Int64()), nil
	}
	at := LeadMS
	var out []Step
	for i := range Steps {
		left := slices.Clone(Turns)
		if i > 0 {
			left = slices.DeleteFunc(left, func(t Turn) bool { return t == out[i-1].Turn })
		}
		k, err := draw(len(left))
		if err != nil {
			return nil, err
		}
		ms, err := draw(LongestMS - ShortestMS + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, Step{left[k], at, ShortestMS + ms})
		at += ShortestMS + ms
	}
	return out, nil
}

// Magic begins a file of frames; package liveness has the whole format.
const Magic = "PLBURST1"

// MaxNonce is the longest nonce that a file can have, in bytes.
const MaxNonce = 64

// NonceOf reads the nonce in the head of a file of frames; ok is false when it is
// no such file. The rest is not looked at.
func NonceOf(b []byte) (nonce []byte, ok bool) {
	if len(b) <= len(Magic) || string(b[:len(Magic)]) != Magic {
		return nil, false
	}
	n := int(b[len(Magic)])
	if n > MaxNonce || len(b) < len(Magic)+1+n {
		return nil, false
	}
	return b[len(Magic)+1:][:n:n], true
}
