<?php

namespace Fanfare\Laravel\Broadcasting;

/** How a broadcast reaches the server. */
interface Publisher
{
    /**
     * @param  string[]  $channels
     * @param  string  $data  JSON
     * @param  ?string  $except  the connection that does not get it
     * @param  ?string  $key  the idempotency key; null makes one
     */
    public function publish(array $channels, string $event, string $data, ?string $except, ?string $key): void;
}
