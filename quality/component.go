package quality

import "math"

// component maps a measure of a face to the quality component value, 0 to 100,
// of ISO/IEC 29794-5: the functions are those of its reference implementation
// (BSI, Open Source Face Image Quality 1.0, OFIQlib/modules/measures). The
// measures differ from it in where they look, which is the box and six points
// here and a trained segmentation there, so values are close and not the same.
// Measures without a counterpart there have none.
func component(name string, v float64) *float64 {
	var q float64
	switch name {
	case "inter_eye_px":
		q = 100 / (1 + math.Exp((70-v)/20))
	case "pose_yaw", "pose_pitch", "pose_roll":
		c := math.Max(0, math.Cos(v*math.Pi/180))
		q = 100 * c * c
	case "illumination_uniformity":
		q = 100 * math.Pow(v, 0.3)
	case "under_exposure":
		q = 120 * (0.832 - 1/(1+math.Exp((0.92-v)/0.05)))
	case "over_exposure":
		q = 1 / (v + 0.01)
	case "background_uniformity":
		q = 190 * (1 - 1/(1+math.Exp((10-v)/100)))
	default:
		return nil
	}
	q = math.Round(math.Max(0, math.Min(100, q)))
	return &q
}
