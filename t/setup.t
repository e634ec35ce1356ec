#!/usr/bin/env perl
# The set-up script: what it asks apt for, and what it says where it cannot.
use strict;
use warnings;
use Cwd qw(abs_path);
use Test::More;
use lib 't/support';
use OsvmTest;

my $setup = abs_path('tools/setup');

# A machine with a shell and little else: PATH has only what is put there.
sub machine {
    my ($name, %tools) = @_;
    mkdir "$dir/$name";
    for my $tool (keys %tools) {
        open(my $file, '>', "$dir/$name/$tool") or die;
        print $file "#!/bin/sh\n$tools{$tool}\n";
        close $file;
        chmod 0755, "$dir/$name/$tool";
    }
    return "$dir/$name";
}

sub setup {
    my ($path, $arguments) = @_;
    my $said = `env -i PATH='$path' CC='@{[$ENV{TEST_CC} // 'cc']}' /bin/sh '$setup' $arguments 2>&1`;
    return ($? >> 8, $said);
}

my $bare = machine('bare', id => 'echo 0');
my ($status, $said) = setup($bare, 'check build test');
is($status, 1, 'check: something is missing');
like($said, qr/gcc/, '... the compiler');
like($said, qr/perl/, '... what runs the tests');
like($said, qr/apt-get install .*gcc/, '... and how to get it');

($status, $said) = setup($bare, 'install build');
is($status, 1, 'install without apt-get stops');
like($said, qr/no apt-get/, '... and says why');
like($said, qr/gcc/, '... and what is missing');

my $log = "$dir/log";
my $user = machine('user', id => 'echo 1000', 'apt-get' => "echo \"\$@\" >>$log");
($status, $said) = setup($user, 'install build');
is($status, 1, 'install without root stops');
like($said, qr/needs root/, '... and says why');
ok(!-e $log, '... and did not try');

my $root = machine('root', id => 'echo 0', 'apt-get' => "echo \"\$@\" >>$log");
($status, $said) = setup($root, 'install build test unicorn capstone');
is($status, 0, 'install as root') or diag($said);
my $asked = do { local (@ARGV, $/) = ($log); <> };
like($asked, qr/^(?:-o \S+ )?update/, '... reads the package lists first');
like($asked, qr/install .*\bgcc\b.*\bperl\b.*\bpkg-config\b/, '... and asks for all of it');

unlike($asked, qr/pkg-config.*pkg-config/, '... for each but once');
is(scalar(() = $said =~ /\n/g), 1, '... in one line of its own');

my $broken = machine('broken', id => 'echo 0', 'apt-get' => 'echo E: no net; exit 100');
($status, $said) = setup($broken, 'install build');
is($status, 1, 'apt-get fails');
like($said, qr/^E: no net\n.*apt-get update failed/ms, '... and that is said, with its reason');

my $full = machine('full', map { $_ => 'exit 0' } qw(cc ar prove python3 patch git));
($status, $said) = setup($full, 'check build test');
is("$status$said", '0', 'all is there: no word');

{
    local $ENV{TEST_CC} = 'clang -g';
    ($status, $said) = setup($bare, 'check build');
    like($said, qr/\bclang\b/, 'CC=clang asks for clang');
    unlike($said, qr/\bgcc\b/, '... not for gcc');
}
($status, $said) = setup($bare, 'check nonsense');
is($status, 64, 'an unknown need is an error');
done_testing();
