<?php

return [
    'default' => 'sqlite',
    'connections' => ['sqlite' => ['driver' => 'sqlite', 'database' => __DIR__ . '/../database/shop.sqlite', 'prefix' => '', 'busy_timeout' => 10000]],
    'migrations' => 'migrations',
];
