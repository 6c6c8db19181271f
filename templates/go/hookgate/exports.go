package hookgate

import "unsafe"

// Plugin is what the host asks.
type Plugin struct {
	Verify    func() (Verdict, error)
	Filter    func() (Verdict, error)
	Transform func() ([]Delivery, error)
	// Describe is a JSON document.
	Describe string
	// Check finds problems in a configuration: JSON pointers and sentences.
	Check func(config string) [][2]string
}

// Serve names the plugin; call it in an init function.
func Serve(plugin Plugin) { served = plugin }

var served Plugin

// Verdict is what a stage decided.
type Verdict struct {
	kind    kind
	status  uint16
	reason  string
	headers [][2]string
	body    string
}

type kind uint8

const (
	onward kind = iota
	drop
	reject
	respond
)

// Onward accepts, or forwards.
func Onward() Verdict { return Verdict{} }

// Drop acknowledges the webhook and delivers it to no one. Of a filter only.
func Drop(reason string) Verdict { return Verdict{kind: drop, reason: reason} }

// Reject refuses the webhook.
func Reject(status uint16, reason string) Verdict {
	return Verdict{kind: reject, status: status, reason: reason}
}

// Respond answers the sender directly.
func Respond(status uint16, headers [][2]string, body string) Verdict {
	return Verdict{kind: respond, status: status, headers: headers, body: body}
}

// Temporary is a failure that may be gone at a later attempt. Any other error is permanent.
type Temporary struct{ Why string }

func (t Temporary) Error() string { return t.Why }

type rawVerdict struct {
	failed uint32
	kind   uint32
	first  [5]uint32
}

type rawDeliveries struct {
	failed uint32
	rest   [3]uint32
}

var (
	verdict    rawVerdict
	deliveries rawDeliveries
	text       slice
)

func words(text string) (uint32, uint32) {
	s := keep(text)
	return s.at, s.length
}

func failure(err error) (uint32, string) {
	if temporary, is := err.(Temporary); is {
		return 0, temporary.Why
	}
	return 1, err.Error()
}

// answer lays a verdict out; `drops` is whether the stage can drop, which shifts what follows.
func answer(said Verdict, err error, drops bool) unsafe.Pointer {
	verdict = rawVerdict{}
	if err != nil {
		kind, why := failure(err)
		verdict.failed, verdict.kind = 1, kind
		verdict.first[0], verdict.first[1] = words(why)
		return unsafe.Pointer(&verdict)
	}
	verdict.kind = uint32(said.kind)
	if !drops && said.kind > onward {
		if said.kind == drop {
			panic("a verify stage cannot drop: reject, or let a filter decide")
		}
		verdict.kind--
	}
	switch said.kind {
	case drop:
		verdict.first[0], verdict.first[1] = words(said.reason)
	case reject:
		verdict.first[0] = uint32(said.status)
		verdict.first[1], verdict.first[2] = words(said.reason)
	case respond:
		headers := keepPairs(said.headers)
		verdict.first[0] = uint32(said.status)
		verdict.first[1], verdict.first[2] = headers.at, headers.length
		verdict.first[3], verdict.first[4] = words(said.body)
	}
	return unsafe.Pointer(&verdict)
}

//go:wasmexport hookgate:plugin/verify@0.1.0#verify
func exportVerify() unsafe.Pointer {
	said, err := served.Verify()
	return answer(said, err, false)
}

//go:wasmexport hookgate:plugin/filter@0.1.0#filter
func exportFilter() unsafe.Pointer {
	said, err := served.Filter()
	return answer(said, err, true)
}

//go:wasmexport hookgate:plugin/transform@0.1.0#transform
func exportTransform() unsafe.Pointer {
	made, err := served.Transform()
	deliveries = rawDeliveries{}
	if err != nil {
		kind, why := failure(err)
		deliveries.failed, deliveries.rest[0] = 1, kind
		deliveries.rest[1], deliveries.rest[2] = words(why)
		return unsafe.Pointer(&deliveries)
	}
	if len(made) > 0 {
		at := unsafe.Pointer(unsafe.SliceData(made))
		pinned.Pin(at)
		deliveries.rest[0], deliveries.rest[1] = uint32(uintptr(at)), uint32(len(made))
	}
	return unsafe.Pointer(&deliveries)
}

//go:wasmexport hookgate:plugin/lifecycle@0.1.0#describe
func exportDescribe() unsafe.Pointer {
	text = keep(served.Describe)
	return unsafe.Pointer(&text)
}

//go:wasmexport hookgate:plugin/lifecycle@0.1.0#check
func exportCheck(at unsafe.Pointer, length uint32) unsafe.Pointer {
	text = keepPairs(served.Check(unsafe.String((*byte)(at), length)))
	return unsafe.Pointer(&text)
}
