package main

import (
	"context"
	"testing"

	"github.com/proofline/proofline/pipeline"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/webhook"
)

func TestEachEndpointIsConfiguredWithItsOwnSecretAlone(t *testing.T) {
	ctx := context.Background()
	n, err := openNode(t, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	live, test := webhook.NewSecret(), webhook.NewSecret()
	s := settings{Webhook: webhookSettings{URL: "https://live.example/h", Secret: live, TestURL: "https://test.example/h", TestSecret: test}}
	if err := s.putEndpoint(ctx, n); err != nil {
		t.Fatal(err)
	}
	for tenant, want := range map[string][2]string{defaultTenant: {s.Webhook.URL, live}, session.TestTenant(defaultTenant): {s.Webhook.TestURL, test}} {
		es, err := n.store.Endpoints(ctx, tenant)
		if err != nil || len(es) != 1 || es[0].URL != want[0] {
			t.Fatalf("%s: %+v, %v", tenant, es, err)
		}
		sealed, err := storage.OpenSecret(ctx, n.keys, pipeline.WebhookPurpose, es[0].Secrets)
		if err != nil || string(sealed) != want[1] {
			t.Errorf("the endpoint of %s is sealed with another secret (%v)", tenant, err)
		}
	}
}
