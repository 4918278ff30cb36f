package store

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
)

// However many search at once, those who only read are read for.
func TestSearch_AsManyAtOnceAsThereAreProcessors(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	places := min(runtime.GOMAXPROCS(0), readers-2)
	began, end := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	for range places {
		all.Go(func() {
			err := s.Search(t.Context(), func(*Reader) error {
				began <- struct{}{}
				<-end
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	for range places {
		<-began
	}
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error)
	go func() {
		waiting <- s.Search(ctx, func(*Reader) error {
			t.Error("searched beside as many as there are processors")
			return nil
		})
	}()
	mustRead(t, s, func(*Reader) error { return nil })
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up waiting: %v", err)
	}
	close(end)
	all.Wait()
	if err := s.Search(t.Context(), func(*Reader) error { return nil }); err != nil {
		t.Errorf("after them: %v", err)
	}
}
