#!/usr/bin/perl
# An ESME on Net::SMPP: HOST PORT SYSTEM_ID PASSWORD COUNT WINDOW. Prints what came, in order,
# as one line of JSON: ["answer", id, status] and ["receipt", id, stat].
use strict;
use warnings;
use JSON::PP;
use Net::SMPP;

my ($host, $port, $system_id, $password, $count, $window) = @ARGV;
my (@events, $unbound);
my ($sent, $in_hand) = (0, 0);

my ($smpp, $bound) = Net::SMPP->new_transceiver($host, port => $port, system_id => $system_id, password => $password)
    or die "connect: $!";
die 'bind: ' . $bound->explain_status() if $bound->status;

while (@events < 2 * $count) {
    while ($in_hand < $window && $sent < $count) {
        $smpp->submit_sm(async => 1, source_addr => '1000', destination_addr => sprintf('4477009%05d', $sent),
                         short_message => "perl $sent", registered_delivery => 1) or die 'submit_sm';
        $sent++;
        $in_hand++;
    }
    take($smpp->read_pdu() || die sprintf('closed after %d events', scalar @events));
}
my $seq = $smpp->unbind(async => 1);
take($smpp->read_pdu() || last) until $unbound;
print encode_json(\@events), "\n";

sub take {
    my ($pdu) = @_;
    if ($pdu->cmd == Net::SMPP::CMD_submit_sm_resp) {
        $in_hand--;
        push @events, ['answer', $pdu->{message_id}, $pdu->status];
    } elsif ($pdu->cmd == Net::SMPP::CMD_deliver_sm) {
        push @events, ['receipt', $pdu->{short_message} =~ /id:(\S+)/, $pdu->{short_message} =~ /stat:(\S+)/];
        $smpp->deliver_sm_resp(seq => $pdu->seq, message_id => '');
    } elsif ($pdu->cmd == Net::SMPP::CMD_enquire_link) {
        $smpp->enquire_link_resp(seq => $pdu->seq);
    } elsif ($pdu->cmd == Net::SMPP::CMD_unbind_resp) {
        $unbound = 1;
    } else {
        die sprintf('unexpected command 0x%x', $pdu->cmd);
    }
}
