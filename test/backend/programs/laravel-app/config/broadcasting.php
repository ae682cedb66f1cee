<?php

return [
    'default' => env('BROADCAST_DRIVER', 'null'),
    'connections' => [
        'log' => ['driver' => 'log'],
        'wrong' => ['driver' => 'fanfare', 'secret' => 'wrong'],
        'proxy' => ['driver' => 'fanfare', 'url' => env('PROXY_URL'), 'timeout' => 1],
        'unreachable' => ['driver' => 'fanfare', 'url' => 'http://127.0.0.1:9'],
    ],
];
