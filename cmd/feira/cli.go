package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/telemetry"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// streams are where a command reads and writes.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// cli is the grammar of the command line.
type cli struct {
	config.Config

	JSON bool `help:"Print data as JSON, and nothing else, on standard output." env:"FEIRA_JSON"`

	Demo       demoCommand       `cmd:"" help:"Serve two tenants in one process, try their walls, and print their bills."`
	Dev        devCommand        `cmd:"" help:"Run every role with an embedded broker and SQLite, until interrupted."`
	Run        runCommand        `cmd:"" help:"Run roles against an outer broker, until interrupted."`
	Tenant     tenantCommand     `cmd:"" help:"Register, list, show, pause, resume and delete tenants."`
	Credential credentialCommand `cmd:"" help:"Seal, list and delete the credentials of a tenant."`
	Key        keyCommand        `cmd:"" help:"Create, list and revoke API keys."`
	Trigger    triggerCommand    `cmd:"" help:"Have tenants' endpoints told what their agents do."`
	Provider   providerCommand   `cmd:"" help:"List the providers and their tools, check manifests."`
	Vault      vaultCommand      `cmd:"" help:"Rotate keys, read the audit of decryptions, shred a tenant's credentials."`
	Send       sendCommand       `cmd:"" help:"Send a request to a tenant's agent and print its answer."`
	Session    sessionCommand    `cmd:"" help:"Open, use and close sessions over HTTP, at a gateway."`
	Cancel     cancelCommand     `cmd:"" help:"Cancel requests of a tenant, those that wait and those that run."`
	Tail       tailCommand       `cmd:"" help:"Print a tenant's session events, stored ones first."`
	Queue      queueCommand      `cmd:"" help:"Show who waits, for how long and why."`
	Usage      usageCommand      `cmd:"" help:"Print what a tenant used and owes."`
	Ledger     ledgerCommand     `cmd:"" name:"ledger" help:"Migrate the ledger's tables, verify its sums, list and replay its quarantine."`
	Ratecard   ratecardCommand   `cmd:"" name:"ratecard" help:"Apply, show and try rate cards."`
	Audit      auditCommand      `cmd:"" name:"audit" help:"Hold session logs, USAGE, rows, sums, entries, invoices and exports against each other."`
	Invoice    invoiceCommand    `cmd:"" name:"invoice" help:"Preview, issue, show and list invoices; forgive a part of one."`
	Credit     creditCommand     `cmd:"" name:"credit" help:"Give tenants prepaid credit, show their accounts."`
	Export     exportCommand     `cmd:"" name:"export" help:"Tell other billing systems what was used; ask them what they have."`
	Budget     budgetCommand     `cmd:"" help:"Show what tenants have spent of their budgets."`
	Webhook    webhookCommand    `cmd:"" help:"Try out what providers' webhooks cause."`
	Dead       deadCommand       `cmd:"" help:"Show what was given up."`
	Bench      benchCommand      `cmd:"" help:"Measure Feira on this machine, or on a broker of its own."`
	Check      configCommand     `cmd:"" name:"config" help:"Check the configuration."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
}

// session is what a command runs with.
type invocation struct {
	streams
	ctx  context.Context //nolint:containedctx // kong hands commands one value; it lives as long as the command
	cfg  config.Config
	tel  *telemetry.Telemetry
	json bool
}

// operator connects to the running Feira of the configuration.
func (i *invocation) operator() *app.Operator { return app.NewOperator(i.cfg, i.tel) }

// run parses the command line, runs its command, and returns the exit code.
func run(ctx context.Context, args []string, std streams) int {
	var grammar cli
	exited := -1
	parser, err := kong.New(&grammar,
		kong.Name("feira"), kong.Description("One commerce agent per customer of your SaaS: fair, isolated, metered."),
		kong.Writers(std.out, std.err), kong.Exit(func(code int) { exited = code }),
		kong.Vars{"roles": app.RoleHelp()}, kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
	)
	if err != nil {
		return complain(std, exitFailed, err)
	}
	command, err := parser.Parse(args)
	if exited >= 0 {
		return exited // help was asked for and printed
	}
	if err != nil {
		return complain(std, exitUsage, err)
	}
	tel, err := openTelemetry(ctx, grammar.Config, std.err)
	if err != nil {
		return complain(std, exitUsage, err)
	}
	inv := &invocation{streams: std, ctx: ctx, cfg: grammar.Config, tel: tel, json: grammar.JSON}
	err = command.Run(inv)
	flushed := tel.Shutdown(context.WithoutCancel(ctx))
	if err != nil {
		return complain(std, exitFailed, errors.New(tel.Redactor().Scrub(err.Error())))
	}
	if flushed != nil {
		return complain(std, exitFailed, flushed)
	}
	return exitOK
}

func openTelemetry(ctx context.Context, cfg config.Config, out io.Writer) (*telemetry.Telemetry, error) {
	secrets := []string{cfg.Model.Key.Reveal(), cfg.NATS.Password.Reveal()}
	for _, variable := range config.ForeignSecrets() {
		secrets = append(secrets, os.Getenv(variable))
	}
	return telemetry.New(ctx, telemetry.Config{
		Output: out, Level: cfg.Telemetry.LogLevel, Format: telemetry.Format(cfg.Telemetry.LogFormat),
		OTLPEndpoint: cfg.Telemetry.OTLPEndpoint, Version: version(),
		Secrets: secrets,
	})
}

func complain(std streams, code int, err error) int {
	_, _ = fmt.Fprintln(std.err, "feira: "+err.Error())
	return code
}
