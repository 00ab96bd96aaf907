// Package calibrate turns scored comparisons into error rates that can be
// trusted as far as their data reaches, and no further.
//
// A [Trial] is one comparison with its score and the truth. [Of] sorts trials
// into [Scores], which answers with false match and false non-match rates at a
// threshold, the DET curve, AUC and equal error rate, and the threshold for a
// target false match rate. Every [Rate] keeps its counts, so that it can say
// its confidence interval; [BySubject] gives intervals for anything else by
// resampling people, not comparisons. [Attacks] does the same for presentation
// attack detection.
//
// The terms are those of ISO/IEC 19795-1 (FMR, FNMR, failure to acquire, DET,
// rule of 3) and ISO/IEC 30107-3 (APCER per attack species, BPCER,
// non-response). The package is pure Go and imports nothing of Proofline.
package calibrate
