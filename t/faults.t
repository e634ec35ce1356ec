#!/usr/bin/env perl
# Planted faults: each patch in t/faults breaks one thing in the memory manager or a
# collector. The plugin is built with it, out of tree, and the collector laboratory has to
# catch it; the test says by which instrument and after how many events. By default a few
# of them are tried; all, and their checked builds too, with OSVM_TEST_LONG or
# OSVM_FAULTS=REGEX.
#
# The head of a patch says what is wrong, which plugin it is for, and which collector is to
# run with it. Where a patch does not apply any more, the line it changes has changed.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename;
use File::Copy;
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Test::More;
use lib 't/support';
use OsvmTest;

my $cc = $ENV{CC} || 'cc';
my $events = $ENV{OSVM_TEST_EVENTS} || 3000000;
my $root = abs_path('.');
my $some = 'scavenger-remembered|ephemeron-one|class-entry-lost|sweep-live-end|slide-method';
my $wanted = $ENV{OSVM_FAULTS} || ($ENV{OSVM_TEST_LONG} ? '.' : $some);
my @variants = $ENV{OSVM_TEST_LONG} || $ENV{OSVM_FAULTS} ? ('production', 'checked') : ('production');

sub head {
    my ($patch) = @_;
    open my $file, '<', $patch or die "$patch: $!";
    my %head = (why => scalar <$file>);
    chomp $head{why};
    while (<$file>) {
        last if /^---/;
        $head{$1} = $2 if /^(\w+): (\S+)/;
    }
    return %head;
}

# The plugin's sources and those it shares, in a folder of their own, patched.
sub patched_sources {
    my ($patch, $dir) = @_;
    for my $file (glob('plugins/*/*.[ch]')) {
        make_path("$dir/" . dirname($file));
        copy($file, "$dir/$file") or die "$file: $!";
    }
    system("cd $dir && git apply -C1 $root/$patch");
    return $? == 0;
}

sub build {
    my ($dir, $plugin, $variant) = @_;
    my $checked = $variant eq 'checked';
    make_path("$dir/lib/64");
    my @sources = glob("$dir/plugins/$plugin/*.c");
    push @sources, glob("$dir/plugins/gc/*.c") if $plugin =~ /^gc-/;
    my $output = "$dir/lib/64/$plugin" . ($checked ? '.checked' : '') . '.so';
    system("$cc -std=gnu11 -O1 -w -fPIC -shared -fvisibility=hidden -fno-strict-aliasing -pthread "
         . ($checked ? '-DOSVM_CHECKED=1' : '-DNDEBUG')
         . " -DWORD_BITS=64 -D_GNU_SOURCE -DOSVM_VERSION='\"0.1\"' -I$dir -Iinclude -I. -o $output @sources -lm");
    return $? == 0;
}

# Instrument and count of events; empty if nothing was found.
sub hunt {
    my ($dir, $collector, $variant, $options) = @_;
    my $said = `$osvm --plugin-path=$dir/lib --gc=$collector:$variant --mm=spur:$variant fuzz gc --bits=64 --seed=1 --events=$events --reduce=no --patience=20 $options 2>&1`;
    my ($count) = $said =~ /^# after (\d+) events/m;
    my ($by) = $said =~ /caught by (.*?) at event/;
    my ($what) = $said =~ /caught by.*\n#\s+(.*)/;
    diag("not performed: $said") unless $by || $said =~ /no finding/;
    return $by ? ($by, $count, $what || '') : ();
}

for my $patch (sort glob 't/faults/*.patch') {
    my $name = basename($patch, '.patch');
    next unless $name =~ /$wanted/;
    my %head = head($patch);
    my $dir = tempdir(CLEANUP => 1);
    ok(patched_sources($patch, $dir), "$name: the patch applies") or next;
    for my $variant (@variants) {
        ok(build($dir, $head{plugin}, $variant), "$name: $variant: built") or next;
        my ($by, $count, $what) = hunt($dir, $head{collector}, $variant, '');
        ok($by, "$name: $variant: " . ($by ? "caught by $by after $count events" : 'SURVIVED'));
        diag("$name: $head{why}\n  $variant: by $by after $count events: $what") if $by && @variants > 1;
        next if !$by || @variants == 1;
        my ($by_model, $after) = hunt($dir, $head{collector}, $variant, '--leak-checks=no');
        diag('  without leak checks: ', $by_model ? "by $by_model after $after events" : 'not caught');
    }
}

done_testing();
