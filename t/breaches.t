#!/usr/bin/env perl
# Processors, back ends, modules of primitives and cores that break one rule each (t/plugins/breaches): the conformance suites find all of
# them, and the shims those that show at the border.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

my $any = "$build/lib/osvm/any";

# What the suite says, and the signal or exit status it ends with.
sub judge {
    my ($program, $plugin, %environment) = @_;
    local @ENV{keys %environment} = values %environment;
    my $said = `BUILD=$build timeout 1800 $build/t/$program $plugin 2>&1`;
    return ($?, $said);
}

sub found {
    my ($what, $status, $said, $expected) = @_;
    isnt($status, 0, "$what is refused");
    like($said, $expected, "$what: says why") or diag(join "\n", grep { /^not ok|rule broken|Bail/ } split /\n/, $said);
}

# [fault, what the suite says, what the shim says; undef: it does not see it]
my $rule = qr/rule broken at .*: /;
my @cpu = (
    ['keeps-old-code', qr/^not ok .*\(P2\)/m],
    ['ignores-access', qr/^not ok .*\(P1\)/m],
    ['keeps-mapped', qr/^not ok .*\(P1\)/m],
    ['one-address', qr/^not ok .*have one address/m, qr/${rule}routines sum and nested are both at/],
    ['loses-requests', qr/^not ok .*\(P6\)/m, qr/${rule}a stop was requested, and .* \(P6\)/],
    ['loses-pc', qr/^not ok .*neither is lost \(P6\)/m, qr/${rule}0x\w+ was written into the pc, and is not there \(P6\)/],
    ['wrong-stop', qr/^not ok .*at it \(P5\)/m, qr/${rule}the processor stops at .* but its pc is .* \(P5\)/],
    ['wrong-result', qr/^not ok .*arguments and result/m],
    ['forgets-registers', qr/^not ok .*registers are read as written/m],
    ['late-budget', qr/^not ok .*two instructions, and not one more/m],
    ['backward-ring', qr/^not ok .*in order, the newest last/m],
    ['traces-nothing', qr/^not ok .*off, it is 0/m, qr/${rule}nothing is traced, and its hash is 0x7/],
    ['forgets-entries', qr/^not ok .*entries are counted/m],
    ['long-instructions', qr/^not ok .*has an instruction of flow/m, qr/${rule}(of \d+ bytes at .* an instruction takes|\d+ bytes at)/],
    ['asks-nobody', qr/^not ok .*a condition that does not hold/m],
    ['watches-nothing', qr/^not ok .*a store to it/m],
    ['nests-nothing', qr/^not ok .*six deep \(P7\)/m],
    ['keeps-calls', qr/^not ok .*\(P[57]\)/m],
    ['keeps-memory', qr/^not ok .*all memory is given back/m],
    ['any-machine', qr/^not ok .*another is not/m, qr/${rule}machine pdp-7 was asked for, x64 is answered/],
);
@cpu = () unless -e "$any/cpu-sim.so"; # built without JIT
for (@cpu) {
    my ($fault, $suite, $shim) = @$_;
    my $plugin = "$build/t/plugins/breaches/any/cpu-breach.so,behind=$any/cpu-sim.so,fault=$fault";
    found("cpu: $fault", judge('cpu_conformance', $plugin, OSVM_MACHINE => 'x64', OSVM_SHIM => 'no'), $suite);
    found("cpu: $fault, shim", judge('cpu_conformance', $plugin, OSVM_MACHINE => 'x64', OSVM_SHIM => 'only'), $shim)
        if $shim;
}
if (@cpu) {
    my ($status) = judge('cpu_conformance', "$build/t/plugins/breaches/any/cpu-breach.so,behind=$any/cpu-sim.so",
        OSVM_MACHINE => 'x64');
    is($status, 0, 'cpu: without a fault it passes');
}

my @jit = (
    ['subtracts', qr/^not ok .*arithmetic/m],
    ['takes-equal-for-less', qr/^not ok .*branches/m],
    ['mixes-registers', qr/^not ok .*arithmetic/m],
    ['forgets-high-bits', qr/^not ok .*arithmetic with constants/m],
    ['short-literals', qr/^not ok .*a pool of many words/m],
    ['writes-behind', qr/^not ok .*nothing else is written/m, qr/${rule}encode wrote 0 bytes behind/],
    ['writes-pool', qr/^not ok .*nothing else is written/m, qr/${rule}encode wrote 1 bytes in front of the code, where the pool is \(J2\)/],
    ['writes-too-much', qr/^not ok .*nothing else is written/m, qr/${rule}encode answers \d+ bytes; there is room for/],
    ['refuses', qr/^not ok /m, qr/${rule}\d+ instructions of \d+ bytes at most were refused, .* \(J7\)/],
    ['unstable', qr/^not ok .*the same the second time \(J7\)/m, qr/${rule}\d+ instructions for .* were encoded into .* \(J7\)/],
    ['fixed-in-place', qr/^not ok .*and elsewhere \(J1\)/m, qr/${rule}the code depends on where it lies: .* \(J1\)/],
    ['wrong-offsets', qr/^not ok /m],
    ['changes-values', qr/^not ok .*the instructions are what they were/m, qr/${rule}instruction 0, .* has been changed/],
    ['longer-than-said', qr/^not ok .* is refused/m, qr/${rule}1 instructions of 6 bytes at most were refused, .* \(J7\)/],
    ['takes-anything', qr/^not ok .*an unknown operation is refused/m],
    ['one-name-twice', qr/^not ok .*each register has a name of its own/m, qr/names one twice/],
    ['loses-arguments', qr/^not ok .*leaf: RECEIVER and the ARGUMENTs are kept/m],
    ['leaf-is-none', qr/^not ok .*leaf/m],
);
SKIP: {
    skip 'no back end for the breaches', 1 unless -e "$build/lib/osvm/64/jit-x64.so";
    @jit = @jit[grep { $_ % 3 == 0 } 0 .. $#jit] if sanitizers() && !$ENV{OSVM_TEST_LONG};
    for (@jit) {
        my ($fault, $suite, $shim) = @$_;
        my @environment = (BREACH_FAULT => $fault, BREACH_BEHIND => "$build/lib/osvm/64/jit-x64.so",
            OSVM_SAMPLE => 7);
        my $plugin = "$build/t/plugins/breaches/64/jit-breach.so";
        found("jit: $fault", judge('heap_jit_conformance.64', $plugin, @environment, OSVM_SHIM => 'no'), $suite);
        found("jit: $fault, shim", judge('heap_jit_conformance.64', $plugin, @environment, OSVM_SHIM => 'only'), $shim)
            if $shim;
    }
}

# Modules: one with a function for each fault, [function, what is said, in which run].
my $module = "$build/t/plugins/breaches/any/prims-breach.so";
my ($status, $said) = judge('prims_conformance', $module);
isnt($status, 0, 'prims: faults are refused');
my ($plain, $shim) = ('w64/production', 'w64/production/shim');
my $early = '(?:w64/)?production'; # or while the suite learns, where that meets the fault
my @prims = (
    ['write_beyond', qr/writes beyond an object/, $plain],
    ['write_where_it_was', qr/writes where an object was before it moved/, $plain],
    ['write_where_one_was', sanitizers() =~ /address/ ? (qr/ends the process/, $early)
        : (qr/writes where an object was before it moved/, $plain)],
    ['hide_lack_of_memory', qr/succeeds although the VM had no memory/, $plain],
    ['misname_lack_of_memory', qr/fails with 2 where the VM had no memory/, $plain],
    ['refuse_forwarders', qr/fails with 3 if argument 1 is a forwarder/, $plain],
    ['hide_refusals', qr/succeeds although the world refused/, $plain],
    ['call_back_unasked', qr/calls back without having said so/, $plain],
    ['count_in_all_vms', qr/answers otherwise in a second VM/, $plain],
    ['answer_nonsense', qr/answers what is no object of this VM/, $plain],
    ['crash_for_floats', qr/ends the process with (signal|status) \d+, with .*a Float/, $early],
    ['trust_arguments', qr/ends the process with (signal|status) \d+/, 'production'],
    ['change_and_fail', qr/ends the process/, $shim, qr/changed its receiver or arguments \(P3\)/],
    ['change_read_only', qr/ends the process .*, read-only\)/, $shim, qr/has changed a read-only object \(P4\)/],
    ['allocate_unasked', qr/ends the process/, $shim, qr/makes an array without having said so in its flags \(P5\)/],
    ['touch_world_unasked', qr/ends the process/, $shim, qr/touches the world without having said so .*\(P5\)/],
    ['answer_nothing', qr/ends the process/, $shim, qr/succeeded without a result \(P1\)/],
);
for (@prims) {
    my ($function, $says, $run, $rule_says) = @$_;
    like($said, qr/^not ok \d+ - prims\/breach\/$run: $function\b.*\n(#.*\n)*#   $says/m, "prims: $function");
    like($said, qr/^# .*rule broken at .*: $function of BreachPlugin .*$rule_says/m, "prims: $function, shim")
        if $rule_says;
}
my @sound = $said =~ /^ok \d+ - prims\/breach\/w\d\d\/production(?:\/shim)?: (\w+_soundly|begins)\b/mg;
is(@sound, 4 * 5, 'prims: sound functions are found sound') or diag("@sound");
for (['keeps-memory', qr/1 blocks of the host's memory are not given back/],
     ['loses-memory-at-start', qr/1 blocks and 0 files are left when it did not get block 2 at its start/],
     ['leaves-files-open', qr/\d+ files, sockets or listings are still open when it has stopped/]) {
    my ($fault, $says) = @$_;
    my ($status, $said) = judge('prims_conformance', $module, BREACH_FAULT => $fault, OSVM_SHIM => 'no');
    like($said, qr/^not ok .*w64.*: begins, ends.*\n(#.*\n)*#   $says/m, "prims: $fault");
}

# Cores: [fault, the part of the suite that finds it, what it says].
for (['keeps-memory', 'again', qr/\.\.\. give their memory back/],
     ['asks-the-system', 'logical-time', qr/in logical time a run repeats itself/],
     ['gives-up-without-parts', 'no-parts', qr/without a collector it refuses, and keeps nothing/],
     ['fails-silently', 'bad-images', qr/no image is refused with a sentence/],
     ['contradicts-itself', 'bad-images', qr/half an image is refused with a sentence/],
     ['loses-exit-codes', 'errors', qr/an error nobody handles ends with 1/],
     ['says-nothing', 'images', qr/: info\n/],
     ['cuts-images', 'convert', qr/\.\.\. which is sound/],
     ['assembles-nothing', 'assemble', qr/\.\.\. which runs it/]) {
    my ($fault, $part, $says) = @$_;
    my @environment = (BREACH_BEHIND => "$build/lib/osvm/64/core-osvm.so", OSVM_ONLY => $part);
    my $core = "$build/t/plugins/breaches/64/core-breach.so";
    my ($status, $said) = judge('core_conformance', $core, @environment, BREACH_FAULT => $fault);
    like($said, qr/^not ok \d+ - core\/breach.*$says/m, "core: $fault") or diag($said);
    ($status, $said) = judge('core_conformance', $core, @environment);
    is($status, 0, "core: without $fault that part has nothing to say") or diag($said);
}
done_testing();
