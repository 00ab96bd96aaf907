// Package face finds faces in a photo, describes each by an embedding and
// compares the portrait on a document with a selfie.
//
// An [Engine] holds the networks of one model set and is safe for concurrent
// use. [Engine.Detect] returns [Face] values: a box, points (eyes, nose,
// mouth, ears) and a score. [Engine.Embed] turns one into an [Embedding];
// [Engine.Similarity] compares two of them. [Engine.MatchPortrait] is the
// whole comparison of a document's portrait with a selfie, including the
// treatment that small printed portraits need.
//
// The package measures and never judges: it holds no threshold on similarity.
// A bad image is no error either. It yields a [Reason], while Go errors mean
// that a network could not be run at all.
//
// Detection is BlazeFace (Bazarevsky et al., "BlazeFace: Sub-millisecond
// Neural Face Detection on Mobile GPUs", 2019) in the default profile and
// YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023) in
// the zoo profile; alignment is the least-squares similarity transform
// (Umeyama, PAMI 1991) to the 112×112 template of ArcFace. Error rates and how
// to measure them again: docs/biometrics.md.
package face
