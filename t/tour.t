#!/usr/bin/env perl
# docs/tour.md: every expression in it answers what the page says, one after the other.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

open my $page, '<', 'docs/tour.md' or die "docs/tour.md: $!\n";
my (@expressions, @answers);
while (<$page>) {
    push @expressions, $1 if /^    > (.*)$/;
    push @answers, $1 if /^    ([^>].*)$/;
}
cmp_ok(scalar @expressions, '>', 20, 'the page has expressions');
is(scalar @answers, scalar @expressions, '... with an answer each');
open my $said, '-|', $osvm, '-e', @expressions or die "$osvm: $!\n";
for my $i (0 .. $#expressions) {
    my $line = <$said> // '(nothing)';
    chomp $line;
    is($line, $answers[$i], $expressions[$i]);
}
ok(close $said, 'it ends well');
done_testing();
