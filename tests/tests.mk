# SPDX-License-Identifier: Apache-2.0
# tests.mk - what the tests build and how they run; included by the Makefile.
TEST_OBJECTS := $(filter-out $(addprefix $(O)/tests/,e2e/% fuzz/% bench/% taint/% interop/%),$(call src,tests))
$(TEST_OBJECTS): override CFLAGS += -Wno-missing-prototypes -Wno-gnu-zero-variadic-macro-arguments -Wno-pedantic
# Ciphers whose blocks tests/card/applets/test_rfm.c counts; what is freed is looked at by tests/card/os/test_wipe.c.
COUNTED := aes_cbc_decrypt aes_cmac des3_cbc_decrypt des3_mac
$(O)/check-unit: $(TEST_OBJECTS) $(HOST_LIB) $(O)/host/cli/hearing.o $(NET) $(SANDBOX) $(O)/libcard-io.a $(O)/libprose-card.a
	$(link) $(COUNTED:%=-Wl,--wrap=%) -Wl,--wrap=free -Wl,--wrap=secret_wipe -Wl,--wrap=secret_large_wipe $(LIBS_NET) $(LIBS_TEST)
E2E := $(O)/leakcheck $(O)/leakcheck-hold.so $(O)/pcap-lo $(O)/aka-vectors $(O)/eap-radius $(O)/smsc $(O)/statements $(O)/kms-secrets $(O)/trouble.so $(O)/faults.so
# With libcheck, which the demo does not install.
E2E_OF_ALL := $(E2E) $(O)/tour
$(O)/smsc: $(O)/tests/e2e/smsc.o $(O)/libota.a $(O)/libapdu.a
	$(link) -lcrypto
$(O)/statements $(O)/kms-secrets: $(O)/%: $(O)/tests/e2e/%.o $(NET) $(O)/libcard-io.a $(O)/libprose-card.a
	$(link) $(LIBS_NET)
$(O)/eap-radius: $(O)/tests/e2e/eap-radius.o $(O)/libprose-ue.a
	$(link) $(LIBS_HOST)
$(O)/aka-vectors: $(O)/tests/e2e/aka-vectors.o $(O)/libcrypto-prose.a $(O)/libapdu.a
	$(link) -lcrypto
$(O)/leakcheck: $(O)/tests/e2e/leakcheck.o $(O)/libapdu.a
	$(link) -ljansson -lcrypto
$(O)/trouble.so: $(O)/tests/e2e/trouble.o
	$(Q)$(CC) $(CFLAGS) $(filter-out -pie,$(LDFLAGS)) -shared -o $@ $^
$(O)/faults.so: $(O)/tests/e2e/faults.o
	$(Q)$(CC) $(CFLAGS) $(filter-out -pie,$(LDFLAGS)) -shared -o $@ $^
# The phone's library as it is installed, and in the same process a card and its operator, as in the unit tests.
$(O)/tests/e2e/tour%.o: override CPPFLAGS += $(PCSC_CFLAGS)
$(O)/tests/e2e/tour%.o: override CFLAGS += -Wno-missing-prototypes -Wno-gnu-zero-variadic-macro-arguments -Wno-pedantic
$(O)/tour: $(O)/tests/e2e/tour.o $(O)/tests/e2e/tour_stops.o $(O)/host/lib/eap/eap_message.o $(SUPPORT) $(NET) $(SANDBOX) $(O)/libcard-io.a $(O)/libprose-card.a $(O)/libprose-ue.so
	$(link) $(O)/libprose-ue.so $(LIBS_NET)
$(O)/leakcheck-hold.so: $(O)/tests/e2e/hold.o
	$(Q)$(CC) $(CFLAGS) $(filter-out -pie,$(LDFLAGS)) -shared -o $@ $^
$(O)/pcap-lo: $(O)/tests/e2e/pcap-lo.o
	$(link)

check-unit: $(O)/check-unit ## unit laws, vectors, golden scripts, power cuts (under a minute; no packages beyond the build's and check)
	@$(if $(SAN),SAN=1) tests/run $(O) unit

demo: ## the whole story on real parts
	@packaging/install-deps demo
	+@$(MAKE) --no-print-directory all $(E2E)
	@tests/e2e/demo $(O)

$(O)/taint: $(O)/tests/taint/taint.o $(SHARED)
	$(link) -lssl -lcrypto
check-taint: ## secrets marked as undefined under valgrind: no branch and no address of ours may depend on them
	+@$(MAKE) --no-print-directory TAINT=1 build/gcc-taint/taint
	@tests/taint/run build/gcc-taint/taint

SEED ?= 1
mutants: ## faults put into the security folders by SEED, and how many the related unit suites notice: make mutants SEED=7 COUNT=200 KIND=wipe ONLY=card/os
	@packaging/install-deps mutants
	@tests/mutants/mutants SEED=$(SEED) COUNT=$(COUNT) KIND=$(KIND) ONLY='$(ONLY)' JOBS=$(JOBS) LIST=$(LIST)

PICKED = $(shell ONLY='$(ONLY)' tests/run --list check)
check: ## what must pass: unit laws, corpora, golden scripts, one path of every system, the demo (ONLY="e2e/kms unit/*" picks)
	@packaging/install-deps unit check
	+@$(MAKE) --no-print-directory all $(O)/check-unit $(if $(filter corpora,$(PICKED)),$(REPLAYS)) $(if $(SAN),,$(E2E))
	+@$(if $(filter apdus,$(PICKED)),$(MAKE) --no-print-directory SAN=address$(comma)undefined build/gcc-address-undefined/campaign)
	@$(if $(SAN),SAN=1) tests/run $(O) unit check

check-all: ## what check leaves out: programs of others, upgrades killed at every step, 10,000 cards, other processors and Debian's other release
	@packaging/install-deps all
	+@$(MAKE) --no-print-directory all $(O)/check-unit $(REPLAYS) $(E2E_OF_ALL) $(O)/exchange $(BENCH_PROGRAMS)
	+@$(MAKE) --no-print-directory TAINT=1 build/gcc-taint/taint
	+@$(MAKE) --no-print-directory FRAMES=1 build/gcc-frames/check-unit
	@tests/run $(O) all

check-long: ## hours: every N, 10^7 APDUs, 10,000 exchanges with libwolfssl, ten minutes of every fuzz target
	@packaging/install-deps long
	+@$(MAKE) --no-print-directory all $(O)/check-unit $(E2E_OF_ALL) $(O)/exchange
	+@$(MAKE) --no-print-directory SAN=address,undefined build/gcc-address-undefined/campaign
	@tests/run $(O) long
	+@[ -n '$(ONLY)' ] || for t in $(FUZZERS); do $(MAKE) --no-print-directory fuzz T=$$t TIME=600 || exit 1; done

SHORT := unit/* e2e/demo e2e/link e2e/aka e2e/keys
check-short: ## what differs between releases of Debian; check-all runs it in a root of the one that the machine is not
	@+$(MAKE) --no-print-directory check ONLY='$(SHORT)'

ARCH ?= arm64
RELEASE ?= trixie
check-cross: ## the unit suites for another processor by qemu-user, in a root of its own: make check-cross ARCH=arm64 (armhf, s390x)
	@tests/root --changes --as $(RELEASE)-$(ARCH) $(RELEASE) -- tests/cross $(ARCH) $(SUITES)

check-valgrind: ## the unit suites under valgrind memcheck (minutes)
	@packaging/install-deps unit valgrind
	+@$(MAKE) --no-print-directory $(O)/check-unit
	@for s in $(filter-out power network,$(patsubst unit/%,%,$(shell tests/run --list unit))); do CK_FORK=no CK_TIMEOUT_MULTIPLIER=60 \
	  valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite $(O)/check-unit $$s || exit 1; done

cover: ## lines that the unit suites and the end-to-end suites of check run, by folder (ONLY="unit/* e2e/kms" picks); build/cover.json
	@packaging/install-deps unit check cover
	+@$(MAKE) --no-print-directory COVER=1 CFLAGS="-O0 -g" cover-programs
	@tests/cover build/$(notdir $(firstword $(CC)))-cover
cover-programs: all $(O)/check-unit $(E2E)
.PHONY: cover-programs

lint: ## arrows, format, warnings of clang and cppcheck, headers alone, shell scripts
	@packaging/install-deps lint
	@tests/lint

requirements: ## docs/requirements.md from what the tests covered
	@sort -u build/covers.* | sed 's/^/- /' | cat <(printf '# Requirements shown by tests of the last run\n\nIds are those of the seed inventory.\n\n') - docs/exceptions.md > docs/requirements.md; wc -l docs/requirements.md

format: ## clang-format everything
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i

FUZZERS := tlv mikey sealed ota apdu image eap smpp gp scp03 admin kms import
T ?= apdu
TIME ?= 60
FUZZ_HOST := host/lib/eap/eap.c host/lib/eap/eap_message.c host/lib/usim.c host/lib/session.c host/lib/exchange.c host/lib/pin.c host/lib/files.c
FUZZ_SOURCES := $(patsubst $(O)/%.o,%.c,$(CARD) $(filter-out %/farm.o %/reader.o %/vpcd.o,$(CARD_IO)) $(PROTOCOLS) $(OTA) $(filter-out %.S %fp1024_x86_64.o,$(CRYPTO)) $(APDU)) $(FUZZ_HOST)
fuzz: ## one libFuzzer campaign: make fuzz T=apdu TIME=60 (targets: tlv mikey sealed ota apdu image eap smpp gp scp03 admin kms import)
	@packaging/install-deps fuzz
	@mkdir -p build/fuzz && tests/fuzz/corpus unpack tests/fuzz/$(T).hex build/fuzz/corpus-$(T)
	clang -g -O1 -std=c11 $(CPPFLAGS) -U_FORTIFY_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -o build/fuzz/$(T) \
	  tests/fuzz/fuzz_$(T).c tests/support/rows.c $(FUZZ_SOURCES) crypto/guarded/fp1024_x86_64.S $(XML_CFLAGS) -lxml2 -lsqlite3 -ljansson -lsrtp2 -lssl -lcrypto
	build/fuzz/$(T) -max_total_time=$(TIME) -max_len=2048 -print_final_stats=1 build/fuzz/corpus-$(T)
fuzz-keep: ## after a campaign: the smallest set of inputs with the same coverage goes to tests/fuzz/$(T).hex
	@rm -rf build/fuzz/small && mkdir build/fuzz/small
	build/fuzz/$(T) -merge=1 -max_len=2048 build/fuzz/small build/fuzz/corpus-$(T)
	@tests/fuzz/corpus pack build/fuzz/small tests/fuzz/$(T).hex

REPLAYS := $(FUZZERS:%=$(O)/replay-%)
$(O)/replay-%: $(O)/tests/fuzz/fuzz_%.o $(O)/tests/fuzz/replay.o $(O)/tests/support/rows.o $(FUZZ_HOST:%.c=$(O)/%.o) $(O)/libcard-io.a $(O)/libprose-card.a
	$(link) $(LIBS_IO) -lxml2
$(O)/tests/fuzz/%.o: override CFLAGS += -Wno-missing-prototypes

$(O)/campaign: $(O)/tests/fuzz/campaign.o $(O)/tests/fuzz/witness.o $(O)/tests/support/rows.o $(O)/libcard-io.a $(O)/libprose-card.a
	$(link) $(LIBS_IO)
APDUS ?= 10000000
SCRIPTS := $(sort $(wildcard tests/scripts/*.apdu tests/scripts/admin/*.apdu))
campaign: ## 10^7 seeded APDUs under ASan and UBSan: make campaign APDUS=10000000 SEED=1 (minutes)
	+@$(MAKE) --no-print-directory SAN=address,undefined build/gcc-address-undefined/campaign
	build/gcc-address-undefined/campaign $(APDUS) $(SEED) $(SCRIPTS)

BENCH_PROGRAMS := $(addprefix $(O)/,bench echo_card empty campaigns bench_sakke bench_flood bench_keys bench_sandbox)
FIGURE := $(O)/tests/bench/figure.o
$(O)/echo_card: $(O)/tests/bench/echo_card.o
	$(link)
$(O)/empty: $(O)/tests/bench/empty.o
	$(link) $(LIBS_IO)
$(O)/tests/bench/wolf.o: override CFLAGS += -Wno-error -w
$(O)/bench: $(O)/tests/bench/bench.o $(FIGURE) $(O)/tests/support/rows.o $(HOST_LIB) $(O)/libcard-io.a $(O)/libprose-card.a $(SHARED)
	$(link) $(LIBS_HOST) $(LIBS_IO)
$(O)/bench_sakke: $(O)/tests/bench/sakke.o $(O)/tests/bench/wolf.o $(FIGURE) $(SHARED)
	$(link) -lwolfssl -lcrypto -lm
$(O)/exchange: $(O)/tests/interop/exchange.o $(SHARED)
	$(link) -lwolfssl -lcrypto -lm
$(O)/tests/interop/exchange.o: override CFLAGS += -Wno-error -w
$(O)/campaigns: $(O)/tests/bench/campaigns.o $(FIGURE) $(O)/tests/support/fake_card.o $(NET) $(SHARED)
	$(link) $(LIBS_NET)
$(O)/bench_keys: $(O)/tests/bench/keys.o $(FIGURE) $(NET) $(SHARED)
	$(link) $(LIBS_NET)
$(O)/bench_flood: $(O)/tests/bench/flood.o $(FIGURE) $(O)/provisioning/http/http.o $(O)/provisioning/http/limit.o $(SHARED)
	$(link) -levent -levent_openssl -lssl -lcrypto
$(O)/bench_sandbox: $(O)/tests/bench/sandbox.o $(FIGURE)
	$(link) -lm
bench: ## figures as ratios against a reference of the same run (BENCH=quick: two minutes); build/bench.json has them all
	@packaging/install-deps unit readers database wolfssl
	+@$(MAKE) --no-print-directory all $(BENCH_PROGRAMS)
	@tests/bench/run $(O) $(BENCH)
