<?php

return array(
    // Whom OpenVPN becomes after its start.
    'vpnUser' => '@VPN_USER@',
    'vpnGroup' => '@VPN_GROUP@',

    // The controller's API.
    'apiUser' => 'vpn-server-node',
    'apiPass' => 'XXX-vpn-server-node/vpn-server-api-XXX',
    'apiUri' => 'http://localhost/vpn-server-api/api.php',

    // 'useVpnDaemon' => true,
    // 'profileList' => array('internet'),
    // 'manageFirewall' => false,
);
