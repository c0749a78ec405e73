package mcp

import "errors"

// Sentinels.
var (
	// ErrNoCredential occurs when a tenant has no credential for a server in an
	// environment. Implementations of [Credentials] wrap it.
	ErrNoCredential = errors.New("no credential")

	// errCommand occurs when a command is none that the operator allows.
	errCommand = errors.New("the operator does not allow the command")
	// errPlain occurs when an endpoint is neither https nor allowed to be plain.
	errPlain = errors.New("the operator does not allow the endpoint without encryption")
	// errTooLarge occurs when an answer is longer than may be read.
	errTooLarge = errors.New("the answer is too long")
	// errEnded occurs when a session ends as soon as it is opened.
	errEnded = errors.New("the session ended as soon as it was opened")
	// errClosed occurs when the client was closed.
	errClosed = errors.New("the client is closed")
	// errBroke occurs when the code of the SDK broke down.
	errBroke = errors.New("the client of the protocol broke down")
)
