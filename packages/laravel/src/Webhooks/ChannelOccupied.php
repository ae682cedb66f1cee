<?php

namespace Fanfare\Laravel\Webhooks;

/** A channel has its first subscriber. */
final class ChannelOccupied implements WebhookEvent
{
    public function __construct(public readonly string $channel, public readonly int $timeMs) {}
}
