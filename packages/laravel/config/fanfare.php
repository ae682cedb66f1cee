<?php

// The names of a `.env` are those that Fanfare itself reads in Laravel's folder: Pusher's, or Reverb's where Pusher's are not filled in.
$prefix = env('PUSHER_APP_KEY') ? 'PUSHER' : 'REVERB';

return [
    'app_id' => env("{$prefix}_APP_ID"),
    'key' => env("{$prefix}_APP_KEY"),
    'secret' => env("{$prefix}_APP_SECRET"),

    // While a secret is replaced: requests that the old one signed are still accepted. The new one signs.
    'previous_secret' => env("{$prefix}_APP_PREVIOUS_SECRET"),

    // Where Laravel reaches the server, with its path prefix if it has one.
    'url' => (env("{$prefix}_SCHEME") ?: 'http').'://'.(env("{$prefix}_HOST") ?: '127.0.0.1').':'.(env("{$prefix}_PORT") ?: 9501),

    // Seconds for a connection and for a whole call, and how often a call is sent again that failed on the way.
    'connect_timeout' => 2,
    'timeout' => 5,
    'retries' => 2,

    // 32 random bytes in base64, if you use EncryptedPrivateChannel.
    'encryption_key' => env("{$prefix}_APP_ENCRYPTION_KEY"),

    // `api` posts an event to the server; `outbox` inserts it into a table, in the transaction that is open, and the server publishes it
    // after the commit.
    'publish_by' => 'api',
    'outbox' => ['connection' => null, 'table' => 'fanfare_publications'],

    // Paths below the application's address; null leaves a route out.
    'routes' => [
        'webhook' => 'fanfare/webhook',
        'hooks' => 'fanfare/hooks',
        'authorize' => 'broadcasting/auth-batch',
    ],

    // What routes run through that ask who the user is: hooks, with the cookie or the token that the server forwards, and authorization.
    'middleware' => ['web'],

    // The guard by which a hook's user is found; null is the default one.
    'guard' => null,
];
