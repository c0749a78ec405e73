package bus

import (
	"log/slog"

	"github.com/ThreeDotsLabs/watermill"
)

// routerLogger lets Watermill's router say only what is wrong with it: what it
// says of every message would cost more than the message.
type routerLogger struct{ logger *slog.Logger }

var _ watermill.LoggerAdapter = routerLogger{}

// Error implements watermill.LoggerAdapter.
func (l routerLogger) Error(text string, err error, _ watermill.LogFields) {
	l.logger.Error("router reports an error", slog.String("detail", text), slog.Any("error", err))
}

// Info implements watermill.LoggerAdapter.
func (routerLogger) Info(string, watermill.LogFields) {}

// Debug implements watermill.LoggerAdapter.
func (routerLogger) Debug(string, watermill.LogFields) {}

// Trace implements watermill.LoggerAdapter.
func (routerLogger) Trace(string, watermill.LogFields) {}

// With implements watermill.LoggerAdapter.
func (l routerLogger) With(watermill.LogFields) watermill.LoggerAdapter { return l }
