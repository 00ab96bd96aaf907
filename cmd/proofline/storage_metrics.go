package main

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/proofline/proofline/storage"
)

// storageMetrics limits the requests to evidence storage and counts them.
func storageMetrics(r prometheus.Registerer, limit int) func(storage.Blobs) storage.Blobs {
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "proofline_storage_seconds", Help: "Requests to evidence storage, by what they ask for and how they ended; reading counts until the object is closed.",
		Buckets: []float64{.001, .005, .02, .05, .1, .25, .5, 1, 2.5, 10, 30},
	}, []string{"op", "result"})
	bytes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "proofline_storage_bytes_total", Help: "Encrypted bytes written to and read from evidence storage.",
	}, []string{"op"})
	r.MustRegister(took, bytes)
	return func(b storage.Blobs) storage.Blobs {
		return storage.Metered(storage.Limited(b, limit), func(q storage.Request) {
			result := "ok"
			switch {
			case errors.Is(q.Err, storage.ErrNotFound):
				result = "not_found"
			case errors.Is(q.Err, storage.ErrFull):
				result = "full"
			case errors.Is(q.Err, storage.ErrUnavailable):
				result = "unavailable"
			case q.Err != nil:
				result = "failed"
			}
			took.WithLabelValues(q.Op, result).Observe(q.Took.Seconds())
			if q.Bytes > 0 {
				bytes.WithLabelValues(q.Op).Add(float64(q.Bytes))
			}
		})
	}
}
