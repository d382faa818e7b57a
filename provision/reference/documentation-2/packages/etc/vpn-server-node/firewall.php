<?php

return array(
    // What may reach this machine.
    'inputRules' => array(
        array('proto' => array('tcp'), 'dst_port' => array(22, 80, 443)),
        array('proto' => array('udp', 'tcp'), 'dst_port' => array(1194)),
    ),

    // Which profiles' clients leave under this machine's address.
    'natRules' => array(
        'internet' => array('enableNat' => array('IPv4', 'IPv6')),
    ),
);
