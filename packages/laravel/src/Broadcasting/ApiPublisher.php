<?php

namespace Fanfare\Laravel\Broadcasting;

use Fanfare\Laravel\Fanfare;

/** Posts to the server at once. */
final class ApiPublisher implements Publisher
{
    public function __construct(private readonly Fanfare $fanfare) {}

    public function publish(array $channels, string $event, string $data, ?string $except, ?string $key): void
    {
        $this->fanfare->publishText($channels, $event, $data, $except, $key);
    }
}
