<?php

namespace Fanfare\Laravel\Broadcasting;

use Fanfare\Laravel\Api\Credentials;
use Illuminate\Database\DatabaseManager;

/**
 * Inserts a row for each channel, in the transaction that is open: the server publishes it after the commit, and nothing after a rollback.
 * Once is the server's business then, so an idempotency key has no use.
 */
final class Outbox implements Publisher
{
    private const USER_CHANNEL = '#server-to-user-';

    public function __construct(
        private readonly Credentials $credentials,
        private readonly DatabaseManager $databases,
        private readonly ?string $connection,
        private readonly string $table,
    ) {}

    public function publish(array $channels, string $event, string $data, ?string $except, ?string $key): void
    {
        $rows = array_map(fn (string $channel) => [
            'app' => $this->credentials->appId(),
            'channel' => str_starts_with($channel, self::USER_CHANNEL) ? null : $channel,
            'user_id' => str_starts_with($channel, self::USER_CHANNEL) ? substr($channel, strlen(self::USER_CHANNEL)) : null,
            'event' => $event,
            'data' => $data,
            'except_connection' => $except,
        ], array_values(array_unique($channels)));
        $this->databases->connection($this->connection)->table($this->table)->insert($rows);
    }
}
