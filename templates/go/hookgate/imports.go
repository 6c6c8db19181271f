package hookgate

import (
	"strings"
	"unsafe"
)

// Info has the small fixed facts of the webhook.
type Info struct {
	ID, Route, Method, Path string
	// Query is raw, without the question mark.
	Query string
	// ReceivedAtMs counts milliseconds since the Unix epoch. Judge timestamps by it, not by a clock.
	ReceivedAtMs uint64
	Sender       string
	PublicURL    string
	BodyLength   uint32
}

type info struct {
	id, route, method, path slice
	query                   maybe
	_                       uint32
	receivedAtMs            uint64
	sender                  slice
	publicURL               maybe
	bodyLength              uint32
}

//go:wasmimport hookgate:plugin/webhook@0.1.0 info
func importInfo(into unsafe.Pointer)

// Webhook tells the facts of the webhook at hand.
func Webhook() Info {
	var raw info
	importInfo(unsafe.Pointer(&raw))
	query, _ := raw.query.text()
	publicURL, _ := raw.publicURL.text()
	return Info{
		ID: raw.id.text(), Route: raw.route.text(), Method: raw.method.text(), Path: raw.path.text(),
		Query: query, ReceivedAtMs: raw.receivedAtMs, Sender: raw.sender.text(),
		PublicURL: publicURL, BodyLength: raw.bodyLength,
	}
}

//go:wasmimport hookgate:plugin/webhook@0.1.0 header
func importHeader(at unsafe.Pointer, length uint32, into unsafe.Pointer)

// Header is the first value of a field, its name in any case.
func Header(name string) (string, bool) {
	var raw maybe
	at, length := lower(name)
	importHeader(at, length, unsafe.Pointer(&raw))
	return raw.text()
}

//go:wasmimport hookgate:plugin/webhook@0.1.0 query-param
func importQueryParam(at unsafe.Pointer, length uint32, into unsafe.Pointer)

// QueryParam is the first value of a query parameter, decoded.
func QueryParam(name string) (string, bool) {
	var raw maybe
	at, length := lower(name)
	importQueryParam(at, length, unsafe.Pointer(&raw))
	return raw.text()
}

//go:wasmimport hookgate:plugin/webhook@0.1.0 body
func importBody(into unsafe.Pointer)

// Body copies the body into the plugin.
func Body() []byte {
	var raw slice
	importBody(unsafe.Pointer(&raw))
	return unsafe.Slice((*byte)(raw.pointer()), raw.length)
}

//go:wasmimport hookgate:plugin/webhook@0.1.0 json
func importJSON(at unsafe.Pointer, length uint32, into unsafe.Pointer)

// JSON is the JSON text at an RFC 6901 pointer of the body.
func JSON(pointer string) (string, bool) {
	var raw maybe
	at, length := lower(pointer)
	importJSON(at, length, unsafe.Pointer(&raw))
	return raw.text()
}

//go:wasmimport hookgate:plugin/webhook@0.1.0 json-string
func importJSONString(at unsafe.Pointer, length uint32, into unsafe.Pointer)

// JSONString is the string at an RFC 6901 pointer of the body, unquoted.
func JSONString(pointer string) (string, bool) {
	var raw maybe
	at, length := lower(pointer)
	importJSONString(at, length, unsafe.Pointer(&raw))
	return raw.text()
}

// Range is where something lies in the body.
type Range struct{ Offset, Length uint32 }

//go:wasmimport hookgate:plugin/webhook@0.1.0 json-array-slices
func importJSONArraySlices(at unsafe.Pointer, length uint32, into unsafe.Pointer)

// JSONArraySlices tells where the elements of the JSON array at pointer are.
func JSONArraySlices(pointer string) ([]Range, bool) {
	var raw maybe
	at, length := lower(pointer)
	importJSONArraySlices(at, length, unsafe.Pointer(&raw))
	return unsafe.Slice((*Range)(raw.value.pointer()), raw.value.length), raw.some != 0
}

//go:wasmimport hookgate:plugin/webhook@0.1.0 note
func importNote(at unsafe.Pointer, length uint32, into unsafe.Pointer)

// Note is what an earlier plugin left about the webhook.
func Note(key string) (string, bool) {
	var raw maybe
	at, length := lower(key)
	importNote(at, length, unsafe.Pointer(&raw))
	return raw.text()
}

//go:wasmimport hookgate:plugin/webhook@0.1.0 set-note
func importSetNote(key unsafe.Pointer, keyLength uint32, value unsafe.Pointer, valueLength uint32)

// SetNote leaves a note for later plugins, logs and traces.
func SetNote(key, value string) {
	k, kl := lower(key)
	v, vl := lower(value)
	importSetNote(k, kl, v, vl)
}

//go:wasmimport hookgate:plugin/config@0.1.0 get
func importConfig(into unsafe.Pointer)

// Config is the plugin's own table in the configuration, as JSON.
func Config() string {
	var raw slice
	importConfig(unsafe.Pointer(&raw))
	return raw.text()
}

// Level is how important a line of the log is.
type Level uint32

// The levels.
const (
	LevelTrace Level = iota
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
)

//go:wasmimport hookgate:plugin/log@0.1.0 write
func importLog(level Level, at unsafe.Pointer, length uint32, fields unsafe.Pointer, count uint32)

// Log writes a line.
func Log(level Level, message string) {
	at, length := lower(message)
	importLog(level, at, length, nil, 0)
}

// Part is one piece of a signed message.
type Part struct {
	kind  uint8
	value slice
}

// PartText is text, PartHeader the first value of a field.
func PartText(text string) Part   { return Part{0, keep(text)} }
func PartHeader(name string) Part { return Part{3, keep(name)} }

// PartBody is the body as received: it costs no copy.
func PartBody() Part { return Part{kind: 2} }

// Encoding is how bytes are written as text.
type Encoding uint32

// The encodings.
const (
	Hex Encoding = iota
	Base64
	Base64URL
)

// CryptoError is why a signature could not be checked.
type CryptoError uint8

// The reasons.
const (
	UnknownKey CryptoError = iota
	Unsupported
	Malformed
	KeyUnavailable
)

func (e CryptoError) Error() string {
	return strings.Fields("unknown-key unsupported malformed key-unavailable")[e]
}

type checked struct{ failed, value uint8 }

func (c checked) answer() (bool, error) {
	if c.failed != 0 {
		return false, CryptoError(c.value)
	}
	return c.value != 0, nil
}

//go:wasmimport hookgate:plugin/crypto@0.1.0 verify
func importVerify(key unsafe.Pointer, keyLength uint32, algorithm unsafe.Pointer, algorithmLength uint32,
	parts unsafe.Pointer, count uint32, signature unsafe.Pointer, signatureLength uint32,
	encoding Encoding, into unsafe.Pointer)

// Verify checks a MAC or signature over the parts with any key of that name.
func Verify(key, algorithm string, parts []Part, signature string, encoding Encoding) (bool, error) {
	var raw checked
	k, kl := lower(key)
	a, al := lower(algorithm)
	s, sl := lower(signature)
	importVerify(k, kl, a, al, unsafe.Pointer(unsafe.SliceData(parts)), uint32(len(parts)), s, sl, encoding,
		unsafe.Pointer(&raw))
	return raw.answer()
}

//go:wasmimport hookgate:plugin/crypto@0.1.0 equals-secret
func importEqualsSecret(key unsafe.Pointer, keyLength uint32, candidate unsafe.Pointer, candidateLength uint32,
	into unsafe.Pointer)

// EqualsSecret compares with a secret in constant time.
func EqualsSecret(key, candidate string) (bool, error) {
	var raw checked
	k, kl := lower(key)
	c, cl := lower(candidate)
	importEqualsSecret(k, kl, c, cl, unsafe.Pointer(&raw))
	return raw.answer()
}

// Delivery is one thing to deliver. It counts only when it is returned.
type Delivery int32

//go:wasmimport hookgate:plugin/deliveries@0.1.0 [constructor]delivery
func importDelivery() int32

// NewDelivery starts as a copy of the webhook.
func NewDelivery() Delivery { return Delivery(importDelivery()) }

//go:wasmimport hookgate:plugin/deliveries@0.1.0 [method]delivery.set-header
func importSetHeader(self int32, name unsafe.Pointer, nameLength uint32, value unsafe.Pointer, valueLength uint32)

// SetHeader makes this the only value of the field.
func (d Delivery) SetHeader(name, value string) {
	n, nl := lower(name)
	v, vl := lower(value)
	importSetHeader(int32(d), n, nl, v, vl)
}

//go:wasmimport hookgate:plugin/deliveries@0.1.0 [method]delivery.remove-header
func importRemoveHeader(self int32, name unsafe.Pointer, nameLength uint32)

// RemoveHeader takes the field away.
func (d Delivery) RemoveHeader(name string) {
	n, nl := lower(name)
	importRemoveHeader(int32(d), n, nl)
}

//go:wasmimport hookgate:plugin/deliveries@0.1.0 [method]delivery.set-body
func importSetBody(self int32, at unsafe.Pointer, length uint32)

// SetBody replaces the body.
func (d Delivery) SetBody(body []byte) {
	importSetBody(int32(d), unsafe.Pointer(unsafe.SliceData(body)), uint32(len(body)))
}

//go:wasmimport hookgate:plugin/deliveries@0.1.0 [method]delivery.set-body-slice
func importSetBodySlice(self int32, offset, length uint32)

// SetBodySlice makes the body a part of the webhook's, without a copy.
func (d Delivery) SetBodySlice(part Range) { importSetBodySlice(int32(d), part.Offset, part.Length) }

//go:wasmimport hookgate:plugin/deliveries@0.1.0 [method]delivery.set-path
func importSetPath(self int32, at unsafe.Pointer, length uint32)

// SetPath replaces path and query below the URL of the upstream.
func (d Delivery) SetPath(path string) {
	p, pl := lower(path)
	importSetPath(int32(d), p, pl)
}

//go:wasmimport hookgate:plugin/deliveries@0.1.0 [method]delivery.set-upstream
func importSetUpstream(self int32, at unsafe.Pointer, length uint32) uint32

// SetUpstream hands it to one upstream; false when the route has none of that name.
func (d Delivery) SetUpstream(name string) bool {
	n, nl := lower(name)
	return importSetUpstream(int32(d), n, nl) != 0
}

//go:wasmimport hookgate:plugin/deliveries@0.1.0 [method]delivery.set-ordering-key
func importSetOrderingKey(self int32, at unsafe.Pointer, length uint32)

// SetOrderingKey: deliveries with the same key go out in order.
func (d Delivery) SetOrderingKey(key string) {
	k, kl := lower(key)
	importSetOrderingKey(int32(d), k, kl)
}

//go:wasmimport hookgate:plugin/deliveries@0.1.0 [method]delivery.set-dedupe-key
func importSetDedupeKey(self int32, at unsafe.Pointer, length uint32, ttlS uint32)

// SetDedupeKey: a repeat within ttlS seconds is dropped.
func (d Delivery) SetDedupeKey(key string, ttlS uint32) {
	k, kl := lower(key)
	importSetDedupeKey(int32(d), k, kl, ttlS)
}
