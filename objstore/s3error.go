package objstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/snapexport/snapexport/fault"
)

// failure is what an error of the SDK says.
type failure struct {
	status  int    // 0 without an answer
	code    string // S3's error code; may be empty
	message string
	region  string // the bucket's region, where the answer names it
	err     error
}

func examine(err error) failure {
	f := failure{message: err.Error(), err: err}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil && response.Response.Response != nil {
		f.status = response.HTTPStatusCode()
		f.region = response.Response.Header.Get("X-Amz-Bucket-Region")
		f.message = http.StatusText(f.status)
	}
	var sending *smithyhttp.RequestSendError
	if errors.As(err, &sending) {
		f.message = sending.Err.Error()
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		f.code = api.ErrorCode()
		if api.ErrorMessage() != "" {
			f.message = api.ErrorMessage()
		}
	}
	return f
}

// codeClasses are the codes whose class is not that of their HTTP status.
var codeClasses = map[string]error{
	"NoSuchKey": fault.ErrMissing, "NoSuchBucket": fault.ErrMissing, "NotFound": fault.ErrMissing, "NoSuchUpload": fault.ErrMissing,
	"AccessDenied": fault.ErrAuth, "InvalidAccessKeyId": fault.ErrAuth, "SignatureDoesNotMatch": fault.ErrAuth,
	"ExpiredToken": fault.ErrAuth, "InvalidToken": fault.ErrAuth, "RequestTimeTooSkewed": fault.ErrAuth, "TokenRefreshRequired": fault.ErrAuth,
	"PreconditionFailed": fault.ErrConflict,
	"NotImplemented":     fault.ErrUnsupported,
	"InternalError":      ErrTransient, "SlowDown": ErrTransient, "ServiceUnavailable": ErrTransient, "RequestTimeout": ErrTransient,
	"Throttling": ErrTransient, "ThrottlingException": ErrTransient, "RequestLimitExceeded": ErrTransient, "TooManyRequests": ErrTransient,
	"OperationAborted": ErrTransient, "ConditionalRequestConflict": ErrTransient,
	"KeyTooLongError": fault.ErrUnsafePath,
}

var statusClasses = map[int]error{
	http.StatusUnauthorized: fault.ErrAuth, http.StatusForbidden: fault.ErrAuth,
	http.StatusNotFound:           fault.ErrMissing,
	http.StatusConflict:           fault.ErrConflict,
	http.StatusPreconditionFailed: fault.ErrConflict,
	http.StatusRequestTimeout:     ErrTransient, http.StatusTooManyRequests: ErrTransient,
	http.StatusInternalServerError: ErrTransient, http.StatusBadGateway: ErrTransient,
	http.StatusServiceUnavailable: ErrTransient, http.StatusGatewayTimeout: ErrTransient,
	http.StatusNotImplemented: fault.ErrUnsupported,
}

// unreadable says that the server agreed, in words that are not S3's.
func (f failure) unreadable() bool { return 200 <= f.status && f.status < 300 && f.code == "" }

func (f failure) class() error {
	if c, ok := codeClasses[f.code]; ok {
		return c
	}
	if c, ok := statusClasses[f.status]; ok {
		return c
	}
	switch {
	case f.unreadable() && connectionClass(f.err) == ErrTransient: // cut off in the middle
		return ErrTransient
	case f.unreadable():
		return fault.ErrCorrupt
	case f.status != 0:
		return ErrFailed
	}
	return connectionClass(f.err)
}

// connectionClass tells failures that stay from those that may pass, for requests without an answer.
func connectionClass(err error) error {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var network net.Error
	switch {
	case errors.Is(err, errBlocked):
		return fault.ErrUnsafePath
	case errors.As(err, &dns) && dns.IsNotFound, errors.As(err, &cert), errors.As(err, &record):
		return ErrFailed
	case errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, errSlow):
		return ErrTransient
	}
	var sending *smithyhttp.RequestSendError
	if errors.As(err, &sending) {
		return ErrTransient
	}
	return ErrFailed
}

func (f failure) hint() string {
	switch {
	case f.code == "RequestTimeTooSkewed":
		return "this machine's clock differs from the server's"
	case f.code == "NoSuchBucket":
		return "the bucket does not exist at this endpoint; check its name and --s3-endpoint"
	case f.status == http.StatusMovedPermanently || f.status == http.StatusTemporaryRedirect || f.status == http.StatusPermanentRedirect || f.code == "AuthorizationHeaderMalformed":
		if f.region != "" {
			return "the bucket is in region " + printable(f.region) + "; set --s3-region or region= of --store"
		}
		return "redirects are not followed; set the endpoint and region of the bucket itself"
	case errors.Is(f.err, errBlocked):
		return "link-local addresses, and http where the endpoint does not say http, are not allowed"
	case f.class() == fault.ErrAuth && f.code == "":
		return "check the credentials and their rights; without the right to list, S3 also answers so for objects that do not exist"
	case f.class() == fault.ErrAuth:
		return "check the credentials and their rights on this bucket"
	case f.class() == ErrFailed && f.status == 0:
		return "check the endpoint (--s3-endpoint): scheme, host and port"
	}
	return ""
}

// fail gives an error of the SDK its class and place.
func (s *s3Store) fail(ctx context.Context, op, key string, err error) *fault.Error {
	object := s.name(key)
	if ctx.Err() != nil {
		e := fault.New(ctx.Err(), op, "stopped").On(object)
		e.Err = err
		return e
	}
	var known *fault.Error
	if errors.As(err, &known) {
		e := *known
		if e.Object == "" {
			e.Op, e.Object = op, object
		}
		return &e
	}
	f := examine(err)
	e := fault.New(f.class(), op, "%s", f.detail()).On(object)
	e.Hint, e.Err = f.hint(), err
	return e
}

func (f failure) detail() string {
	text := printable(f.message)
	if f.unreadable() {
		text = "the answer can not be read: " + printable(f.err.Error())
	}
	if f.code != "" {
		text = printable(f.code) + ": " + text
	}
	if f.status != 0 {
		return fmt.Sprintf("%s (HTTP %d)", text, f.status)
	}
	return text
}

// failCreate is fail for Create: what may have been written is ErrUnknownOutcome and of no other class, so that no caller
// takes it for a conflict or repeats it.
func (s *s3Store) failCreate(ctx context.Context, key string, err error) error {
	const op = "create"
	f := examine(err)
	if f.status == http.StatusPreconditionFailed {
		return fault.Conflict(op, "the object exists").On(s.name(key))
	}
	e := s.fail(ctx, op, key, err)
	unsent := errors.Is(err, errBlocked) || errors.Is(err, fault.ErrAuth)
	refused := 400 <= f.status && f.status < 500 && f.status != http.StatusConflict && !errors.Is(e, ErrTransient)
	if unsent || refused || e.Class == fault.ErrUnsupported {
		return e
	}
	u := fault.New(ErrUnknownOutcome, op, "%s", e.Detail).On(s.name(key)).WithHint("read the object to see whether it was written")
	if u.Err = err; ctx.Err() != nil {
		u.Err = ctx.Err()
	}
	return u
}
