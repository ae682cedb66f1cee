<?php

namespace Fanfare\Laravel\Webhooks;

/** A client has published. */
final class ClientEvent implements WebhookEvent
{
    public function __construct(
        public readonly string $channel,
        public readonly string $event,
        /** As it was sent: JSON, usually. */
        public readonly string $data,
        public readonly string $connection,
        /** In presence channels. */
        public readonly ?string $userId,
        public readonly int $timeMs,
    ) {}
}
