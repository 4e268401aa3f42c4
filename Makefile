# Makefile -- builds moth and everything that checks it; `make help` says what there is.
#
# A room is a folder of src/, and its files are found by looking: a new file needs no line here. Each mode (a set of
# compiler flags) has its own folder under build/. On a fresh machine pkg-config is not there yet when this file is
# read, so it is asked only when something is compiled, and `run` and `test` call make again after .ci/deps.

MODE ?= release
BUILD ?= build
PREFIX ?= /usr/local
ONLY ?= check rooms lua examples lab scenario
FUZZ_SECONDS ?= 60
READLINE ?= 1
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

LIBRARIES := libuv libcrypto sqlite3
PROGRAM_LIBRARIES := lua5.4-cjson $(if $(filter-out 0,$(READLINE)),readline)
LIBRARY_ROOMS := base proto net node
PROGRAM_ROOMS := script cli

# A bug to be planted, see tests/torture/torture_plants: such a build has a folder of its own, used by nobody else.
PLANT_receipts-before-commit := -DPLANT_RECEIPTS_BEFORE_COMMIT
PLANT_ids-repeat := -DPLANT_IDS_REPEAT
PLANT_advert-restarts := -DPLANT_ADVERT_RESTARTS
PLANT_carrier-forgets := -DPLANT_CARRIER_FORGETS
PLANT_FLAGS := $(if $(PLANT),$(or $(PLANT_$(PLANT)),$(error there is no PLANT called '$(PLANT)')))

OUT := $(BUILD)/$(if $(PLANT),plant-$(PLANT),$(MODE))
# The release stands directly in build/: build/moth is what people type.
BIN := $(if $(filter $(BUILD)/release,$(OUT)),$(BUILD),$(OUT))
MOTH := $(BIN)/moth
LIBMOTH := $(BIN)/libmoth.a

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-print-directory
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
ifneq ($(word 2,$(MAKECMDGOALS)),)
.NOTPARALLEL: # several wishes are fulfilled one after the other: clean, then test
endif
endif
Q := $(if $(V),,@)
say = $(if $(V),:,printf '  %-5s %s\n')

# ---- flags

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wswitch-enum -Wvla \
    $(if $(filter-out 0,$(CI) $(WERROR)),-Werror)
MODE_FLAGS_release := -O2 -g -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
MODE_FLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
MODE_FLAGS_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
MODE_FLAGS_fuzz := $(MODE_FLAGS_asan) -fsanitize=fuzzer-no-link
MODE_FLAGS_cover := -O0 -g --coverage
MODE_FLAGS := $(or $(MODE_FLAGS_$(MODE)),$(error MODE is release, asan, tsan, fuzz or cover, not '$(MODE)'))

# lazily NAME,COMMAND: the variable NAME turns into what COMMAND prints when it is first used.
lazily = $(eval $1 := $$(shell $2 || echo missing))$(if $(filter missing,$($1)),$(error a library is missing: \
    `make deps` installs what moth needs),$($1))
LUA_PACKAGE = $(call lazily,LUA_PACKAGE,.ci/deps lua)
PACKAGE_CFLAGS = $(call lazily,PACKAGE_CFLAGS,pkg-config --cflags $(LUA_PACKAGE) $(LIBRARIES))
LIBRARY_LIBS = $(call lazily,LIBRARY_LIBS,pkg-config --libs $(LIBRARIES))
PROGRAM_LIBS = $(call lazily,PROGRAM_LIBS,pkg-config --libs $(PROGRAM_LIBRARIES) $(LUA_PACKAGE) $(LIBRARIES))
CMOCKA_LIBS = $(call lazily,CMOCKA_LIBS,pkg-config --cflags --libs cmocka)

C_FLAGS := -std=c11 -D_GNU_SOURCE $(WARNINGS) $(MODE_FLAGS) $(PLANT_FLAGS) $(CFLAGS)
INCLUDES = -Iinclude -Isrc $(PACKAGE_CFLAGS)
LINK_FLAGS := -Wl,-E -Wl,--as-needed -Wl,-z,relro -Wl,-z,now $(LDFLAGS)

# ---- files

# Of the two consoles one is built: with a line editor, or (READLINE=0) without.
OTHER_CONSOLE := $(if $(filter-out 0,$(READLINE)),%/console_plain.o,%/console.o %/console_complete.o %/console_words.o \
    %/console_history.o %/console_typed.o)
objects_of = $(filter-out $(OTHER_CONSOLE),$(patsubst src/%.c,$(OUT)/%.o,$(wildcard $(1:%=src/%/*.c))))
LIBRARY_OBJECTS := $(call objects_of,$(LIBRARY_ROOMS))
PROGRAM_OBJECTS := $(call objects_of,$(PROGRAM_ROOMS)) $(OUT)/lua_sources.o \
    $(patsubst src/%.c,$(OUT)/%.o,$(filter-out src/main.c,$(wildcard src/*.c)))
LUA_FILES := $(sort $(wildcard lua/moth/*.lua lua/moth/meta/*.lua))

ROOM_TESTS := $(patsubst tests/c/%.c,$(OUT)/tests/%,$(wildcard tests/c/test_*.c))
ROOM_HELPERS := $(filter-out tests/c/test_%,$(wildcard tests/c/*.c))
SCENARIOS := $(patsubst tests/scenario/%.c,$(OUT)/tests/%,$(wildcard tests/scenario/scenario_*.c))
SCENARIO_HELPERS := $(filter-out tests/scenario/scenario_%,$(wildcard tests/scenario/*.c))
TORTURES := $(patsubst tests/torture/%.c,$(OUT)/tests/%,$(wildcard tests/torture/torture_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(OUT)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
BENCHES := $(patsubst tests/bench/%.c,$(OUT)/bench/%,$(wildcard tests/bench/bench_*.c))
FLOORS := $(patsubst tests/bench/%.c,$(OUT)/bench/%,$(wildcard tests/bench/floor_*.c))
BENCH_HELPERS := $(filter-out tests/bench/bench_% tests/bench/floor_%,$(wildcard tests/bench/*.c))
EXAMPLES := $(patsubst examples/%.c,$(OUT)/tests/example_%,$(wildcard examples/*.c))

# ---- what people ask for

.PHONY: all help run test test-torture asan tsan fuzz cover bench lint fmt deps install clean
.PHONY: test-programs tortures fuzzers benches everything FORCE

all: $(MOTH) $(LIBMOTH) ## build build/moth and build/libmoth.a; so does bare `make`

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile
	@echo 'also: MODE=release|asan|tsan|cover ONLY="$(ONLY)" V=1 WERROR=1 CC= CFLAGS= READLINE=0'

run: ## install what is missing, build, start a node; ARGS="..." go to it
	@.ci/deps run
	@$(MAKE) all
	@$(MOTH) $(ARGS)

test: ## install what is missing, build, run all tests; MODE= and ONLY= choose
	@.ci/deps test
	@$(MAKE) test-programs
	@BUILD=$(BUILD) tests/run $(MODE) $(ONLY)

test-torture: ## install what is missing, build, run the long tests, each showing how far it is; MODE= chooses
	@.ci/deps test
	@$(MAKE) all tortures
	@BUILD=$(BUILD) tests/torture/run $(MODE)

asan: ## build and run the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(MAKE) test MODE=asan

tsan: ## build and run the tests under ThreadSanitizer
	@$(MAKE) test MODE=tsan

fuzz: ## run each fuzzer for FUZZ_SECONDS=60 with clang, two at a time; corpora stay in build/fuzz/corpus
	@.ci/deps clang
	@$(MAKE) fuzzers MODE=fuzz CC=clang
	@tests/fuzz/run $(BUILD)/fuzz $(FUZZ_SECONDS)

cover: ## what the room tests reach of src/proto, by line; fails below 95 %
	@.ci/deps test
	@rm -f $(BUILD)/cover/*/*.gcda
	@$(MAKE) test MODE=cover ONLY=rooms CC=gcc
	@tests/cover $(BUILD)/cover 95

bench: ## measure how fast it is, beside budgets and a bare relay
	@.ci/deps run
	@$(MAKE) all benches
	@MOTH=$(MOTH) BUILD=$(OUT) tests/bench/run

lint: ## build with the warnings of gcc and clang as errors; clang-tidy, cppcheck, luacheck where installed
	@.ci/deps clang
	@$(MAKE) everything WERROR=1 CC=gcc BUILD=$(BUILD)/gcc
	@$(MAKE) everything WERROR=1 CC=clang BUILD=$(BUILD)/clang
	@.ci/lint

fmt: ## lay out the C as .clang-format says
	@command -v clang-format >/dev/null || { echo 'fmt: clang-format is not installed'; exit 1; }
	@clang-format -i $(wildcard include/*.h include/*/*.h src/*.[ch] src/*/*.[ch] src/*/*/*.c tests/*/*.[ch] examples/*.c)

deps: ## install what building and testing need and this machine lacks
	@.ci/deps test

install: all ## copy program, library, headers, guides, completion and unit to PREFIX=/usr/local
	@MOTH=$(MOTH) LIBMOTH=$(LIBMOTH) src/install/install '$(DESTDIR)' '$(PREFIX)'

clean: ## remove build/
	rm -rf $(BUILD)

# ---- what that takes

NEEDS_rooms := $(ROOM_TESTS)
NEEDS_examples := $(EXAMPLES)
NEEDS_scenario := $(MOTH) $(SCENARIOS)
NEEDS_lab := $(MOTH)
test-programs: $(foreach kind,$(ONLY),$(NEEDS_$(kind)))
tortures: $(TORTURES)
fuzzers: $(FUZZERS)
benches: $(BENCHES) $(FLOORS)
everything: all test-programs tortures benches
all test-programs tortures fuzzers benches everything:
	@: # nothing to say when all is there

# A folder is newer than its archive when a file came or went since.
$(LIBMOTH): $(LIBRARY_OBJECTS) $(wildcard $(LIBRARY_ROOMS:%=src/%))
$(OUT)/program.a: $(PROGRAM_OBJECTS) src $(wildcard $(PROGRAM_ROOMS:%=src/%))
$(LIBMOTH) $(OUT)/program.a:
	@$(say) AR $@
	@mkdir -p $(@D) && rm -f $@
	$(Q)ar rcs $@ $(filter %.o,$^)

# What a test does not call stays out of it, archives and libraries alike: each may name all below it.
$(MOTH): $(OUT)/main.o $(OUT)/program.a $(LIBMOTH)
$(ROOM_TESTS): $(OUT)/tests/%: $(OUT)/tests/c/%.o $(ROOM_HELPERS:%.c=$(OUT)/%.o) $(OUT)/program.a $(LIBMOTH)
$(SCENARIOS): $(OUT)/tests/%: $(OUT)/tests/scenario/%.o $(SCENARIO_HELPERS:%.c=$(OUT)/%.o) $(LIBMOTH)
$(TORTURES): $(OUT)/tests/%: $(OUT)/tests/torture/%.o $(SCENARIO_HELPERS:%.c=$(OUT)/%.o) $(LIBMOTH)
$(FUZZERS): $(OUT)/tests/%: $(OUT)/tests/fuzz/%.o $(OUT)/program.a $(LIBMOTH)
$(EXAMPLES): $(OUT)/tests/example_%: $(OUT)/examples/%.o $(LIBMOTH)
$(BENCHES): $(OUT)/bench/%: $(OUT)/tests/bench/%.o $(BENCH_HELPERS:%.c=$(OUT)/%.o) $(OUT)/program.a $(LIBMOTH)
$(FLOORS): $(OUT)/bench/%: $(OUT)/tests/bench/%.o
$(MOTH): LIBS = $(PROGRAM_LIBS)
$(ROOM_TESTS) $(SCENARIOS) $(TORTURES): LIBS = $(PROGRAM_LIBS) $(CMOCKA_LIBS)
$(FUZZERS): LIBS = -fsanitize=fuzzer $(PROGRAM_LIBS)
$(BENCHES): LIBS = $(PROGRAM_LIBS)
$(EXAMPLES) $(FLOORS): LIBS = $(LIBRARY_LIBS)
$(MOTH) $(ROOM_TESTS) $(SCENARIOS) $(TORTURES) $(FUZZERS) $(EXAMPLES) $(BENCHES) $(FLOORS):
	@$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(LINK_FLAGS) $(filter %.o %.a,$^) $(LIBS) -lm -o $@

define compile
@$(say) CC $<
@mkdir -p $(@D)
$(Q)$(CC) $(C_FLAGS) $1 -MMD -MP -c $< -o $@
endef

$(OUT)/%.o: src/%.c $(OUT)/flags
	$(call compile,$(INCLUDES))

$(OUT)/proto/%.o: src/proto/%.c $(OUT)/flags
	$(call compile,$(INCLUDES) -Wconversion)

$(OUT)/tests/%.o: tests/%.c $(OUT)/flags
	$(call compile,$(INCLUDES))

$(OUT)/tests/fuzz/%.o: tests/fuzz/%.c $(OUT)/flags
	$(call compile,$(INCLUDES) -Wno-missing-prototypes) # libFuzzer has no header that declares what it calls

$(OUT)/examples/%.o: examples/%.c $(OUT)/flags
	$(call compile,-Iinclude) # an example sees what an embedder sees

$(OUT)/lua_sources.o: $(OUT)/lua_sources.c $(OUT)/flags
	$(call compile,$(INCLUDES))

$(OUT)/lua_sources.c: $(OUT)/embed $(LUA_FILES) $(wildcard lua/moth lua/moth/meta)
	$(Q)$< lua $(LUA_FILES:lua/%=%) >$@

$(OUT)/embed: src/script/embed/embed.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) $< -o $@

# Objects made with other flags or another compiler are made again.
$(OUT)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(C_FLAGS) $(PACKAGE_CFLAGS)' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

.SECONDARY:
-include $(wildcard $(OUT)/*.d $(OUT)/*/*.d $(OUT)/tests/*/*.d)
