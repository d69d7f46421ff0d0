# What can be done here; `make help` prints the list.

GO ?= go

# The program as it is shipped: static, and with nothing of the machine that built it.
BUILD := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w'

# The machines it is shipped for. ARM by version: armv6 is a Pi Zero or 1 and
# Raspberry Pi OS armhf, armv7 every later 32-bit board. mipsle is without FPU.
TARGETS := arm64 armv7 armv6 amd64 386 riscv64 mipsle
DIST := $(TARGETS:%=dist/sluice-linux-%)

# go build asks git for the revision, and fails where git refuses to answer: in a
# clone that belongs to somebody else, such as one mounted into a container.
ifneq ($(shell git status >/dev/null 2>&1 && echo yes),yes)
export GOFLAGS += -buildvcs=false
endif

# Debian keeps mosquitto where only root looks.
export PATH := $(PATH):/usr/sbin:/sbin

say = @printf '\n== %s: %s\n' '$@'

.DEFAULT_GOAL := help
.NOTPARALLEL: # the steps share two cores and one screen

.PHONY: test
test: peers check unit unit32 outage cross test-packages e2e lan-clients soak-bridge soak-broker soak-flood ## everything below that can fail: what every commit must pass
	$(say) 'all passed'

.PHONY: check
check: ## formatting, go vet and staticcheck
	$(say) 'gofmt, go vet, staticcheck'
	@bad=$$(gofmt -l .); [ -z "$$bad" ] || { printf 'not formatted, run gofmt -w on:\n%s\n' "$$bad"; exit 1; }
	@$(GO) vet -tags e2e ./...
	@$(GO) tool staticcheck -checks all -tags e2e ./...

.PHONY: unit
unit: ## the tests of every package, under the race detector
	$(say) 'go test -race'
	@$(GO) test -race ./...

.PHONY: unit32
unit32: ## the same on a 32-bit processor, as most ARM boards have it
	$(say) 'GOARCH=386 go test'
	@GOARCH=386 CGO_ENABLED=0 $(GO) test ./...

.PHONY: outage
outage: ## the bridge through 10,000 simulated courses of outages, crashes and power cuts, and a day offline
	$(say) '10,000 schedules of faults'
	@$(GO) test ./test/outage -count 1 -timeout 15m -schedules 10000 -outage 24h -links

.PHONY: build
build: ## ./sluice, for this machine
	$(say) './sluice'
	@$(BUILD) -o sluice ./cmd/sluice

.PHONY: cross
cross: ## dist/sluice-linux-*, for every machine it is shipped for
	$(say) '$(words $(TARGETS)) machines'
	@$(MAKE) --no-print-directory $(DIST)

.PHONY: $(DIST)
$(DIST): dist/sluice-linux-%:
	@$(if $(filter armv%,$*),GOARCH=arm GOARM=$(*:armv%=%),GOARCH=$*) GOOS=linux GOMIPS=softfloat $(BUILD) -o $@ ./cmd/sluice
	@wc -c <$@ | awk '{ printf "%-28s %5.1f MB\n", "$@", $$1 / 1e6 }'

# A version needs the commit in the program; where git does not answer it is 0.0.0-dev.
.PHONY: packages
packages: BUILD += $(if $(findstring buildvcs=false,$(GOFLAGS)),,-buildvcs=true)
packages: $(DIST) ## dist/packages: .deb, .rpm, .apk, .ipk, tar.gz, OCI archive, bill of materials, checksums
	$(say) '$(words $(DIST)) machines'
	@cd packaging/tools && $(GO) run .

.PHONY: test-packages
test-packages: dist/sluice-linux-amd64 dist/sluice-linux-mipsle ## packages of each kind, twice to the same bytes
	$(say) 'packages, twice'
	@cd packaging/tools && $(GO) vet ./... && $(GO) test ./...
	@packaging/test/twice.sh $^

.PHONY: test-packaging
test-packaging: packages ## all packages: reproducible, lintian has nothing to say, and through install, kill, upgrade and purge in Debian 12 and 13
	$(say) 'all packages'
	@$(begin-needs) \
	need lintian command -v lintian; \
	need mmdebstrap command -v mmdebstrap; \
	need systemd-container command -v systemd-nspawn; \
	$(install-needs)
	@packaging/test/twice.sh $(DIST)
	@packaging/test/lintian.sh dist/packages/*.deb
	@packaging/test/lifecycle.sh dist/packages/*_amd64.deb bookworm trixie

.PHONY: e2e
e2e: peers ## the real program against real devices, brokers and crashes
	$(say) 'the real program and its peers'
	@$(GO) test -tags e2e -count 1 -timeout 20m -skip '^TestLANClients$$' ./test/e2e/...

.PHONY: lan-clients
lan-clients: peers ## what MQTT clients of other makers do with the LAN broker, a table for each
	$(say) 'mosquitto, Paho, MQTT.js and Node-RED on the LAN broker'
	@$(GO) test -tags e2e -count 1 -timeout 20m -v -run '^TestLANClients$$' ./test/e2e

.PHONY: bench-latency
bench-latency: ## how long a value takes from the wire to a subscriber
	$(say) 'from the wire to a subscriber'
	@$(GO) run ./test/bench latency

.PHONY: bench-bus
bench-bus: libmodbus ## how much of a line is put to use, and the price, beside other Modbus clients (9 min)
	$(say) 'exchanges on one line'
	@$(GO) run ./test/bench bus

.PHONY: bench-faults
bench-faults: libmodbus ## wrong values taken for an answer on a bad line, beside other Modbus clients (5 min)
	$(say) 'exchanges on a bad line'
	@$(GO) run ./test/bench faults

.PHONY: soak
soak: ## the gateway on lines and links where everything goes wrong, and its LAN broker at work (1 h)
	$(say) 'half an hour of faults, a quarter of clients'
	@$(GO) run ./test/soak bus -for 30m
	@$(MAKE) --no-print-directory soak-bridge FOR=5m
	@$(MAKE) --no-print-directory soak-broker CYCLES=200
	@$(GO) run ./test/soak lan -for 15m

.PHONY: soak-bridge
soak-bridge: peers ## the bridge between foreign publishers and brokers, while it and they are killed again and again
	$(say) 'kills, cuts and foreign brokers for $(FOR)'
	@$(GO) run ./test/soak bridge -for $(FOR)

FOR ?= 45s

.PHONY: soak-broker
soak-broker: peers ## persistent sessions of foreign clients while the gateway is killed again and again
	$(say) '$(CYCLES) kills'
	@$(GO) run ./test/soak broker -cycles $(CYCLES)

CYCLES ?= 20

.PHONY: soak-flood
soak-flood: ## the LAN broker under floods of clients that mean no good, and what another client notices
	$(say) 'floods of $(FLOOD) each'
	@$(GO) run ./test/soak flood -for $(FLOOD)

FLOOD ?= 3s

.PHONY: libmodbus
libmodbus: ## installs what only these two benchmarks need, when it is missing
	$(say) 'libmodbus'
	@$(begin-needs) \
	need gcc command -v gcc; \
	need libc6-dev test -e /usr/include/stdlib.h; \
	need libmodbus-dev test -e /usr/include/modbus/modbus.h; \
	$(install-needs)

# The other side of the tests, none of it ours.
.PHONY: peers
peers: ## installs what the tests talk to, when it is missing (Debian and npm packages)
	$(say) 'a C compiler for the race detector, MQTT brokers and clients, proxies, Modbus tools and slaves, QEMU, ajv'
	@$(begin-needs) \
	need gcc command -v gcc; \
	need libc6-dev test -e /usr/include/stdlib.h; \
	need mosquitto command -v mosquitto; \
	need mosquitto-clients command -v mosquitto_sub; \
	need python3-paho-mqtt /usr/bin/python3 -c 'import paho.mqtt'; \
	need libpaho-mqtt-dev test -e /usr/include/MQTTClient.h; \
	need rabbitmq-server test -x /usr/lib/rabbitmq/bin/rabbitmq-server; \
	need socat command -v socat; \
	need jq command -v jq; \
	need tinyproxy-bin command -v tinyproxy; \
	need microsocks command -v microsocks; \
	need e2fsprogs command -v mkfs.ext4; \
	need iproute2 command -v ip; \
	need mbpoll command -v mbpoll; \
	need python3-pymodbus /usr/bin/python3 -c 'import pymodbus'; \
	need qemu-user-static command -v qemu-arm-static; \
	need libmodbus-dev test -e /usr/include/modbus/modbus.h; \
	need nodejs command -v node; \
	need npm command -v npm; \
	$(install-needs)
	@$(MAKE) --no-print-directory $(NODE_PEERS:%=$(NODE_CACHE)/%/node_modules)

# What comes from npm, with everything it stands on pinned by checksum: a slave on
# modbus-serial; ajv and the language server of editors, for the schema; MQTT clients.
NODE_CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sluice-peers
NODE_PEERS := modbus-serial schema mqttjs node-red

.SECONDEXPANSION:
$(NODE_CACHE)/%/node_modules: $$(wildcard test/e2e/testdata/peers/%/package*.json)
	@mkdir -p $(@D) && cp $^ $(@D)
	@npm ci --prefix $(@D) --silent --no-audit --no-fund --ignore-scripts
	@touch $@

# Between these two a recipe names packages, each with how to tell that it is
# there. The distribution would start its own mosquitto; policy-rc.d forbids that
# while we install, and the service that came with us is not left enabled.
define begin-needs
set -eu; missing=''; \
	need() { package=$$1; shift; "$$@" >/dev/null 2>&1 || missing="$$missing $$package"; };
endef

define install-needs
[ -n "$$missing" ] || exit 0; \
	command -v apt-get >/dev/null || { \
		echo "missing:$$missing. There is no apt-get here: install them under the names your system gives them." >&2; exit 1; }; \
	sudo=''; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	command -v $${sudo:-sh} >/dev/null || { \
		echo "missing:$$missing. Run make $@ as root, or install sudo." >&2; exit 1; }; \
	echo "installing$$missing"; \
	policy=/usr/sbin/policy-rc.d; \
	if [ ! -e $$policy ]; then \
		trap "$$sudo rm -f $$policy" EXIT; trap 'exit 130' INT TERM; \
		printf '#!/bin/sh\nexit 101\n' | $$sudo tee $$policy >/dev/null; $$sudo chmod 755 $$policy; \
	fi; \
	apt="$$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120"; \
	$$apt update || true; \
	$$apt install -y --no-install-recommends $$missing >/dev/null; \
	for service in mosquitto rabbitmq-server; do \
		case "$$missing " in *" $$service "*) $$sudo systemctl disable $$service >/dev/null 2>&1 || true;; esac; \
	done
endef

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24
