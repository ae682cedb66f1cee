<?php

return [
    'url' => env('FANFARE_URL'),
    'app' => env('FANFARE_APP'),
    'key' => env('FANFARE_KEY'),
    'secret' => env('FANFARE_SECRET'),
];
