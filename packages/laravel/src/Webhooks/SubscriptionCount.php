<?php

namespace Fanfare\Laravel\Webhooks;

/** How many connections are in a channel has changed. */
final class SubscriptionCount implements WebhookEvent
{
    public function __construct(public readonly string $channel, public readonly int $count, public readonly int $timeMs) {}
}
