package pipeline

import (
	"context"
	"errors"
	"fmt"
)

// Service is everything that works in the background of one process: the loops
// and, where Worker is set up with engines, a worker.
type Service struct {
	Dispatcher *Dispatcher
	Reconciler *Reconciler
	Sweeper    *Sweeper
	Worker     *Worker
}

// NewService makes all parts from the worker's configuration.
func NewService(c WorkerConfig) (*Service, error) {
	w, err := NewWorker(c)
	if err != nil {
		return nil, err
	}
	return &Service{
		Dispatcher: NewDispatcher(c.Store, c.Queue, c.Log),
		Reconciler: NewReconciler(c.Store, c.Queue, c.Log),
		Sweeper:    NewSweeper(c.Store, c.Vault, c.Log),
		Worker:     w,
	}, nil
}

// Start begins all parts.
func (s *Service) Start() error {
	if err := s.Worker.Start(); err != nil {
		return err
	}
	s.Dispatcher.Start()
	s.Reconciler.Start()
	s.Sweeper.Start()
	return nil
}

// Shutdown ends all parts and waits for them, or for ctx. The queue and the
// store are closed by whoever opened them, afterwards.
func (s *Service) Shutdown(ctx context.Context) error {
	err := errors.Join(s.Dispatcher.Shutdown(ctx), s.Reconciler.Shutdown(ctx), s.Sweeper.Shutdown(ctx), s.Worker.Shutdown(ctx))
	if err != nil {
		return fmt.Errorf("stop background work: %w", err)
	}
	return nil
}
