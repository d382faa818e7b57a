<?php

// Finds the classes of this program in its `src`, and those of libraries below /usr/share/php,
// where the directories are named as the classes are.
spl_autoload_register(function ($class) {
    $own = '@NAMESPACE@\\';
    $path = 0 === strpos($class, $own)
        ? dirname(__DIR__).'/src/'.substr($class, strlen($own))
        : '/usr/share/php/'.$class;
    $file = str_replace('\\', '/', $path).'.php';
    if (is_file($file)) {
        require $file;
    }
});
