package face

import (
	"math"
)

// secondPerson is the share of the main face's inter-eye distance from which on
// another face counts as a second person in the picture, rather than as
// somebody far behind or a ghost image beside the portrait.
const secondPerson = 0.6

// Main is the index of the face that a picture of width × height is about: the
// largest, with faces toward the edge counting as smaller, because a bystander
// is often cut off at the edge and sometimes larger. It is −1 without faces.
// others counts further faces of comparable size.
func Main(faces []Face, width, height int) (index, others int) {
	index = -1
	best := math.Inf(-1)
	for i, f := range faces {
		if s := prominence(f, width, height); s > best {
			best, index = s, i
		}
	}
	for i, f := range faces {
		if i != index && f.InterEye() >= secondPerson*faces[index].InterEye() {
			others++
		}
	}
	return index, others
}

// prominence is the face's width, halved at a point about two thirds of the
// way to the corner.
func prominence(f Face, width, height int) float64 {
	c := f.Box.Centre()
	dx := c.X/float64(width) - 0.5
	dy := c.Y/float64(height) - 0.5
	return f.Box.W * math.Max(0, 1-2.4*(dx*dx+dy*dy))
}
