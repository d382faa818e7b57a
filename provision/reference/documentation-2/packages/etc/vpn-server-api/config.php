<?php

return array(
    // Every profile the VPN offers. The key is the profile's id.
    'vpnProfiles' => array(
        'internet' => array(
            // Unique, 1 to 64: management ports and tun devices are counted from it.
            'profileNumber' => 1,
            'displayName' => 'Internet Access',
            // Networks the clients get their addresses from.
            'range' => '10.0.0.0/25',
            'range6' => 'fd00:4242:4242:4242::/64',
            // The name clients connect to.
            'hostName' => 'vpn.example',
            'listen' => '::',
            'managementIp' => '127.0.0.1',
            'defaultGateway' => true,
            'blockLan' => true,
            'dns' => array('9.9.9.9', '2620:fe::fe'),
            'vpnProtoPorts' => array('udp/1194', 'tcp/1194'),
            'tlsProtection' => 'tls-crypt',
        ),
    ),

    // Who may call the API, and with which secret.
    'apiConsumers' => array(
        'vpn-user-portal' => 'XXX-vpn-user-portal/vpn-server-api-XXX',
        'vpn-server-node' => 'XXX-vpn-server-node/vpn-server-api-XXX',
    ),
);
