# osvm. `make` builds build/osvm, `make run` and `make test` also install what is missing first.
#   O=0..3             optimisation          CC=clang        compiler
#   SANITIZE=address,undefined               JIT=no          without JIT and simulated processors
#   BUILD=dir          where to build        V=1             show the commands
#   PREFIX=, DESTDIR=  for `make install`    WERROR=yes      warnings are errors
# Sources are found by wildcard: a new file or plugin folder needs no line here. What a plugin needs
# besides (libraries, widths) stands in its plugin.mk:
#   WIDTHS_<plugin> := any      VARIANTS_<plugin> := checked      NEEDS += <word of tools/setup>
#   CFLAGS_<plugin> = ...       LDLIBS_<plugin> = ...             CFLAGS_<path of a .c file> = ...
BUILD    ?= build$(if $(SANITIZE),-sanitize)
PREFIX   ?= /usr/local
JIT      ?= yes
VERSION  := 0.1
Q        := $(if $(V),,@)
SAY       = $(if $(V),,@echo "  $(1)  $(2)")
find_c    = $(sort $(shell find $(1) -name '*.c' 2>/dev/null))
NPROC    := $(shell nproc)
MAKEFLAGS += --no-builtin-rules -j$(NPROC)

OPT      := -O$(or $(O),2)
OPT_C    := -O$(or $(O),1)
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wno-unused-parameter \
            $(if $(filter yes,$(WERROR)),-Werror)
SANFLAGS := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
COMMON    = -std=gnu11 -g $(WARN) -D_GNU_SOURCE -DOSVM_VERSION='"$(VERSION)"' -fno-strict-aliasing \
            -pthread -fPIC -fvisibility=hidden $(SANFLAGS) $(if $(filter no,$(JIT)),-DOSVM_NO_JIT) \
            -Iinclude -I. $(CFLAGS)
LINK      = -pthread $(SANFLAGS) $(LDFLAGS)
# A plugin may use nothing of the kernel. (Sanitizers take their own symbols from the executable.)
SHARED    = -shared $(if $(SANITIZE),,-Wl,-z,defs) -Wl,-z,relro,-z,now

# --- What there is to build: libraries, plugins, the executable ----------------------------------
LIBS     := kernel compiler bytecode base
SRC_kernel   := $(call find_c,kernel/cli kernel/plugin kernel/world kernel/lab)
SRC_compiler := $(call find_c,compiler)
SRC_bytecode := $(call find_c,kernel/bytecode)
SRC_base     := $(call find_c,kernel/base)

SRC_core-osvm := $(call find_c,kernel/vm kernel/debug kernel/jit)
$(if $(filter no,$(JIT)),$(eval SRC_core-osvm := $(filter-out kernel/jit/% kernel/debug/machine/%,$(SRC_core-osvm))))
HEAP_PLUGINS := $(if $(wildcard kernel/vm/core.c),core-osvm)
$(foreach d,$(patsubst %/,%,$(wildcard plugins/core-*/ plugins/mm-*/ plugins/gc-*/ plugins/prims-*/ \
    $(if $(filter no,$(JIT)),,plugins/jit-*/ plugins/cpu-*/))),\
    $(eval SRC_$(notdir $d) := $(call find_c,$d))$(eval HEAP_PLUGINS += $(notdir $d)))
$(foreach d,$(patsubst %/,%,$(wildcard plugins/prims/*/)),$(eval SRC_prims-$(notdir $d) := $(call find_c,$d))\
    $(eval PRIM_PLUGINS += prims-$(notdir $d))$(eval WIDTHS_prims-$(notdir $d) := any))
-include $(wildcard kernel/*/plugin.mk plugins/*/plugin.mk plugins/prims/*/plugin.mk)

.PHONY: all needs setup run test test-long bench fuzz install uninstall clean
all: $(BUILD)/osvm $(BUILD)/osvm.image $(BUILD)/osvm32.image

# --- Objects: one tree per configuration ----------------------------------------------------------
# 32, 64: heap code; any: the rest; *.checked: CHECK is live; t32, t64: linked into tests, b32, b64:
# into benchmarks, where each plugin's descriptor has a name of its own (osvm_plugin_gc_compact).
CONFIGS  := any any.checked 32 32.checked 64 64.checked t32 t64 b32 b64
bits      = $(if $(findstring 32,$(1)),-DWORD_BITS=32)$(if $(findstring 64,$(1)),-DWORD_BITS=64)
checked   = $(if $(findstring checked,$(1))$(findstring t,$(1)),$(OPT_C) -DOSVM_CHECKED=1,$(OPT) -DNDEBUG)
symbol    = $(if $(filter t% b%,$(1)),-DOSVM_PLUGIN_SYMBOL=osvm_plugin_$(subst -,_,$(notdir $(patsubst %/,%,$(dir $(2))))))
define object_rule
$(BUILD)/obj/$(1)/%.o: %.c $(BUILD)/flags | needs
	$$(call SAY,cc,$$@)
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(COMMON) $(call checked,$(1)) $(call bits,$(1)) $$(call symbol,$(1),$$<) $$(CFLAGS_$$<) \
	    $$(CFLAGS_PLUGIN) -MMD -MP -c -o $$@ $$<
endef
$(foreach c,$(CONFIGS),$(eval $(call object_rule,$c)))
objects   = $(patsubst %.c,$(BUILD)/obj/$(1)/%.o,$(2))

# Changed flags rebuild everything; a changed PREFIX only the file that knows it.
CFLAGS_kernel/plugin/search.c = -DOSVM_LIBDIR='"$(PREFIX)/lib/osvm"'
$(call objects,any,kernel/plugin/search.c) $(call objects,any.checked,kernel/plugin/search.c): $(BUILD)/prefix
stamp     = @mkdir -p $(@D); echo '$(subst ','"'"',$(1))' | cmp -s - $@ || echo '$(subst ','"'"',$(1))' > $@
$(BUILD)/flags: FORCE ; $(call stamp,$(CC) $(OPT) $(OPT_C) $(COMMON) $(LINK))
$(BUILD)/prefix: FORCE ; $(call stamp,$(PREFIX))
FORCE:

# --- Libraries, plugins, the executable -----------------------------------------------------------
define library_rule
$(BUILD)/obj/lib$(1)$(2).a: $(call objects,any$(2),$(SRC_$(1)))
	$$(call SAY,ar,$$@)
	@mkdir -p $$(@D); rm -f $$@
	$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach l,$(LIBS),$(eval $(call library_rule,$l,))$(eval $(call library_rule,$l,.checked)))
libs      = $(patsubst %,$(BUILD)/obj/lib%$(2).a,$(1))

# $(1) plugin, $(2) width, $(3) nothing or .checked. Plugins get the width-agnostic libraries too.
define plugin_rule
PLUGINS += $(BUILD)/lib/osvm/$(2)/$(1)$(3).so
$(call objects,$(2)$(3),$(SRC_$(1))): CFLAGS_PLUGIN = $$(CFLAGS_$(1))
$(call objects,$(2)$(3),$(SRC_$(1))) $(BUILD)/lib/osvm/$(2)/$(1)$(3).so: $(BUILD)/obj/$(1).flags
$(BUILD)/lib/osvm/$(2)/$(1)$(3).so: $(call objects,$(2)$(3),$(SRC_$(1))) $(call libs,$(filter-out kernel,$(LIBS)),$(3))
	$$(call SAY,ld,$$@)
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(SHARED) $$(LINK) -o $$@ $$(filter %.o %.a,$$^) $$(LDLIBS_$(1)) -lm
endef
# Changed flags in a plugin.mk rebuild the plugin.
define plugin_flags_rule
$(BUILD)/obj/$(1).flags: FORCE ; $$(call stamp,$$(strip $$(CFLAGS_$(1)) \
    $$(foreach s,$$(SRC_$(1)),$$(CFLAGS_$$s)) $$(LDLIBS_$(1))))
endef
$(foreach p,$(HEAP_PLUGINS) $(PRIM_PLUGINS),$(eval $(call plugin_flags_rule,$p)))
variants  = $(subst production,,$(subst checked,.checked,$(or $(VARIANTS_$(1)),production checked)))
$(foreach p,$(HEAP_PLUGINS) $(PRIM_PLUGINS),$(foreach w,$(or $(WIDTHS_$p),32 64),\
    $(foreach v,$(or $(VARIANTS_$p),production checked),\
        $(eval $(call plugin_rule,$p,$w,$(if $(filter checked,$v),.checked))))))

all: $(PLUGINS)
$(BUILD)/osvm: $(call objects,any,kernel/main.c) $(call libs,$(LIBS),) | $(PLUGINS)
	$(call SAY,ld,$@)
	$(Q)$(CC) $(LINK) -o $@ $(filter %.o %.a,$^) -ldl -lm

# --- Tests: t/*.t are scripts, t/*.c programs; t/heap_*.c are built for both heap widths ----------
# A test has the libraries; heap code it wants it names:  // LINK: plugins/mm-spur/*.c
TESTS    := $(sort $(shell find t -maxdepth 2 -name '*.c' -not -path 't/plugins/*' \
    -not -path 't/support/*' -not -path 't/callback/*' 2>/dev/null))
linked    = $(wildcard $(shell sed -n 's,^// LINK: \(.*\)$$,\1,p' $(1)))
# $(1) source, $(2) configuration, $(3) suffix of the program
define test_rule
PROGRAMS += $(BUILD)/$(1:.c=)$(3)
$(BUILD)/$(1:.c=)$(3): $(call objects,$(2),$(1) $(call linked,$(1))) $(call libs,$(LIBS),.checked)
	$$(call SAY,ld,$$@)
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(LINK) -o $$@ $$(filter %.o %.a,$$^) -ldl -lm
endef
$(foreach t,$(TESTS),$(if $(filter heap_%,$(notdir $t)),\
    $(eval $(call test_rule,$t,t32,.32))$(eval $(call test_rule,$t,t64,.64)),\
    $(eval $(call test_rule,$t,any.checked,))))
# Benchmarks in C that say what they link: as tests, but production code.
$(foreach t,$(shell grep -ls '^// LINK:' bench/*.c),$(eval $(subst PROGRAMS,BENCHES,$(call test_rule,$t,b32,.32)))\
    $(eval $(subst PROGRAMS,BENCHES,$(call test_rule,$t,b64,.64))))
# Broken and sound plugins for the loader's tests.
FIXTURES := $(patsubst t/plugins/%.c,$(BUILD)/t/plugins/%.so,$(shell find t/plugins -name '*.c' 2>/dev/null))
$(FIXTURES): $(BUILD)/t/plugins/%.so: $(BUILD)/obj/any/t/plugins/%.o
	$(call SAY,ld,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared $(LINK) -o $@ $<

# The leak checker takes wrong bounds for thread-local variables of loaded libraries, and dies of them.
PROVE     = $(if $(SANITIZE),LSAN_OPTIONS=use_tls=0:print_suppressions=0) OSVM=$(abspath $(BUILD))/osvm BUILD=$(abspath $(BUILD)) CC='$(CC)' prove -j2 -e ''
# T='t/answers.t ...': these alone.
test test-long: all $(PROGRAMS) $(FIXTURES)
	$(if $(filter test-long,$@),OSVM_TEST_LONG=1) $(PROVE) $(or $(T),$(PROGRAMS) $(wildcard t/*.t t/*/*.t))
bench: all $(BENCHES)
	OSVM=$(abspath $(BUILD))/osvm bench/run
	@for program in $(BENCHES); do echo "$$program"; $$program || exit 1; done
fuzz: all $(PROGRAMS)
	OSVM=$(abspath $(BUILD))/osvm BUILD=$(abspath $(BUILD)) t/fuzz/run
# Without ARGS: says what 100 factorial is.
run: all
	$(BUILD)/osvm $(or $(ARGS),-e '100 factorial')

# --- The built-in image ---------------------------------------------------------------------------
$(BUILD)/osvm.image: BITS = 64
$(BUILD)/osvm32.image: BITS = 32
$(BUILD)/osvm.image $(BUILD)/osvm32.image: $(BUILD)/osvm $(shell find image -name '*.st')
	$(call SAY,st,$@)
	$(Q)$(BUILD)/osvm build image -o $@ --bits=$(BITS) --start='CommandLine start'

# The page that lists the library, from the comments of its classes.
docs/library.md: $(BUILD)/osvm.image
	$(BUILD)/osvm --run 'LibraryPage write' > $@
# The picture in README.md.
docs/disasm.svg: $(BUILD)/osvm.image tools/picture
	$(BUILD)/osvm --deterministic disasm 'Integer>>factorial' --jit=x64 --bytecodes | \
	    tools/picture "osvm disasm 'Integer>>factorial' --jit=x64 --bytecodes" '== entry without' 36 > $@

# --- Set-up, installation, housekeeping -----------------------------------------------------------
INSTALLS := $(filter run test test-long bench fuzz setup,$(MAKECMDGOALS))
TESTS_TOO := $(filter-out run,$(INSTALLS))
needs: ; @CC='$(CC)' tools/setup $(if $(INSTALLS),install,check) build $(if $(TESTS_TOO),test) $(NEEDS)
setup: needs

DEST      = $(DESTDIR)$(PREFIX)
# INSTALL_ONLY=yes installs what is there and builds nothing.
install: $(if $(INSTALL_ONLY),,all)
	install -d $(DEST)/bin $(DEST)/include/osvm $(DEST)/lib/pkgconfig $(DEST)/share/osvm $(DEST)/share/man/man1
	install $(BUILD)/osvm $(DEST)/bin/osvm
	cd $(BUILD)/lib && find osvm -name '*.so' -exec install -D {} $(abspath $(DEST))/lib/{} \;
	install -m 644 include/osvm/*.h $(DEST)/include/osvm
	$(if $(wildcard $(BUILD)/*.image),install -m 644 $(BUILD)/*.image $(DEST)/share/osvm)
	install -m 644 docs/osvm.1 $(DEST)/share/man/man1
	install -D -m 644 tools/completion/osvm.bash $(DEST)/share/bash-completion/completions/osvm
	install -D -m 644 tools/completion/_osvm $(DEST)/share/zsh/site-functions/_osvm
	printf 'prefix=%s\nplugindir=$${prefix}/lib/osvm\n\nName: osvm\nDescription: %s\nVersion: %s\nCflags: -I$${prefix}/include\n' \
	    '$(PREFIX)' 'Headers for plugins of the osvm Smalltalk virtual machine' '$(VERSION)' > $(DEST)/lib/pkgconfig/osvm.pc
uninstall:
	rm -rf $(DEST)/bin/osvm $(DEST)/lib/osvm $(DEST)/include/osvm $(DEST)/lib/pkgconfig/osvm.pc $(DEST)/share/osvm \
	    $(DEST)/share/man/man1/osvm.1 $(DEST)/share/bash-completion/completions/osvm \
	    $(DEST)/share/zsh/site-functions/_osvm
clean: ; rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
