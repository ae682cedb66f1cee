<?php

namespace Fanfare\Laravel\Webhooks;

/** The last subscriber of a channel has gone. */
final class ChannelVacated implements WebhookEvent
{
    public function __construct(public readonly string $channel, public readonly int $timeMs) {}
}
