package policy

import "time"

// Triage says where a case stands in the queue of reviews.
type Triage struct {
	// Queue is the name of the queue; empty: "default".
	Queue string `json:"queue"`
	// SLA is how long the case may wait; BusySLA is the same while the queue is
	// overloaded.
	SLA     time.Duration `json:"sla"`
	BusySLA time.Duration `json:"busy_sla"`
}
