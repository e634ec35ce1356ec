#!/usr/bin/env perl
# Completion in the shells, and the manual page: they speak of what the program really has.
use strict;
use warnings;
use Test::More;
use lib 't/support';
use OsvmTest;

# What bash would offer for the last of the words.
sub complete {
    my $words = join ' ', map { "'$_'" } @_;
    my $offered = `bash -c '. tools/completion/osvm.bash; compopt() { :; }
        f() { COMP_WORDS=("\$\@"); COMP_CWORD=\$((\$# - 1)); _osvm "\$1" "\${\@: -1}"; printf "%s\\n" "\${COMPREPLY[\@]}"; }
        f "\$\@"' bash $words`;
    return join ' ', sort split ' ', $offered;
}
is(complete($osvm, '--g'), join(' ', grep { /^--g/ } sort map { /^  (--[a-z-]+)=/ ? "$1=" : () } `$osvm --help`),
    'an option that wants a value');
is(complete($osvm, 'inf'), 'info', 'a command');
is(complete($osvm, 'info', '--js'), '--json', 'an option of a command');
is(complete($osvm, 'help', 'pl'), 'plugins', 'a command to be explained');
is(complete($osvm, '--gc', '=', 'sw'), 'sweep sweep:checked', 'a collector');
is(complete($osvm, '--gc', '='), join(' ', sort map { ($_, "$_:checked") } keys %{{map { /^gc +(\S+) +production/ ? ($1 => 1) : () } `$osvm plugins`}}),
    'every collector there is');
is(complete($osvm, 'READM'), 'README.md', 'a file');
is(system("bash -n tools/completion/osvm.bash"), 0, 'bash reads its file');
SKIP: {
    skip('zsh is not installed', 1) if system('command -v zsh >/dev/null');
    is(system('zsh -n tools/completion/_osvm'), 0, 'zsh reads its file');
}

my $page = read_file('docs/osvm.1');
my $help = `$osvm --help`;
for my $command ($help =~ /^Commands:\n(.*?)^$/ms ? $1 =~ /^  ([a-z-]+)/mg : ()) {
    like($page, qr/^\.It Cm \Q$command\E$/m, "the manual has the command $command");
}
for my $option ($help =~ /^  --([a-z-]+)/mg) {
    like($page, qr/Fl -\Q$option\E\b/, "the manual has the option --$option");
}
done_testing();
