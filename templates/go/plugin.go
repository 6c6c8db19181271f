// {{name}}: checks a signature, drops pings, and tells the upstream the type in a header.
package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"example.com/plugin/hookgate"
)

// The name of the key: where `with` has the secret. The key itself stays in the host.
const key = "secret"

func verify() (hookgate.Verdict, error) {
	header, _ := hookgate.Header("x-signature")
	signature, found := strings.CutPrefix(header, "sha256=")
	if !found {
		return hookgate.Reject(401, "no signature"), nil
	}
	body := []hookgate.Part{hookgate.PartBody()}
	ok, err := hookgate.Verify(key, "hmac-sha256", body, signature, hookgate.Hex)
	switch {
	case err == hookgate.Malformed:
		return hookgate.Reject(401, "the signature cannot be read"), nil
	case err != nil:
		return hookgate.Verdict{}, fmt.Errorf("the key cannot be used: %w", err)
	case !ok:
		return hookgate.Reject(401, "the signature does not match"), nil
	}
	return hookgate.Onward(), nil
}

func filter() (hookgate.Verdict, error) {
	event, found := hookgate.JSONString("/type")
	if !found {
		return hookgate.Reject(400, "the body has no `/type`"), nil
	}
	if event == "ping" {
		return hookgate.Drop("a ping"), nil
	}
	hookgate.SetNote("event", event)
	return hookgate.Onward(), nil
}

func transform() ([]hookgate.Delivery, error) {
	event, _ := hookgate.Note("event")
	delivery := hookgate.NewDelivery()
	delivery.SetHeader("x-event-type", event)
	return []hookgate.Delivery{delivery}, nil
}

func check(config string) [][2]string {
	var table map[string]any
	if err := json.Unmarshal([]byte(config), &table); err != nil || table["secret"] == nil {
		return [][2]string{{"", `say where the secret is: secret = { env = "NAME" }`}}
	}
	return nil
}

func init() {
	hookgate.Serve(hookgate.Plugin{
		Verify: verify, Filter: filter, Transform: transform, Check: check,
		Describe: `{"name":"{{name}}","version":"0.1.0","description":"Checks a signature and drops pings"}`,
	})
}

func main() {}
