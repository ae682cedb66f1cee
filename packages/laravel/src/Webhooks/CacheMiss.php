<?php

namespace Fanfare\Laravel\Webhooks;

/** A client joined a cache channel that keeps nothing. */
final class CacheMiss implements WebhookEvent
{
    public function __construct(public readonly string $channel, public readonly int $timeMs) {}
}
