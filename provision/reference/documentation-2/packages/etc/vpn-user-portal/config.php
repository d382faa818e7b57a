<?php

return array(
    'authMethod' => 'FormPdoAuthentication',
    // How long a downloaded certificate is good for.
    'sessionExpiry' => 'P90D',
    'adminUserIdList' => array('admin'),

    // The controller's API.
    'apiUser' => 'vpn-user-portal',
    'apiPass' => 'XXX-vpn-user-portal/vpn-server-api-XXX',
    'apiUri' => 'http://localhost/vpn-server-api/api.php',
);
