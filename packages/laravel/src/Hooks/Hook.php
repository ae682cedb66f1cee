<?php

namespace Fanfare\Laravel\Hooks;

use Illuminate\Http\Request;
use InvalidArgumentException;

/**
 * A question of the server, as a Laravel event. The first listener that returns something answers it: true, false, an `Answer`, or an array
 * of the answer's members. A listener that is queued cannot.
 */
abstract class Hook
{
    private const HOOKS = [
        'connect' => Connect::class,
        'authenticate' => Authenticate::class,
        'refresh' => Refresh::class,
        'subscribe' => Subscribe::class,
        'publish' => Publish::class,
        'call' => Call::class,
        'disconnect' => Disconnect::class,
    ];

    /** The same one if it is asked a second time. */
    public readonly string $id;

    /** Milliseconds since 1970. */
    public readonly int $timeMs;

    public readonly string $app;

    /** `id`, `address`, `transport`, `protocol`, and `meta` where it has some. */
    public readonly array $connection;

    /** Null until it is known who the client is. */
    public readonly ?string $userId;

    public readonly mixed $userInfo;

    /** With the headers and cookies of the client's handshake that `forward` names. */
    public readonly Request $request;

    final private function __construct(
        /** All that was asked. */
        public readonly array $asked,
        Request $request,
    ) {
        $this->id = (string) ($asked['id'] ?? '');
        $this->timeMs = (int) ($asked['time_ms'] ?? 0);
        $this->app = (string) ($asked['app'] ?? '');
        $this->connection = (array) ($asked['connection'] ?? []);
        $this->userId = isset($asked['user']['id']) ? (string) $asked['user']['id'] : null;
        $this->userInfo = $asked['user']['info'] ?? null;
        $this->request = $request;
    }

    /** Throws where the server asks something that this package does not know, or the body is none of a hook. */
    public static function from(Request $request): self
    {
        // Not of `$request->input()`, from which Laravel trims spaces and takes empty texts.
        $asked = json_decode($request->getContent(), true);
        $class = is_array($asked) && is_string($asked['hook'] ?? null) ? self::HOOKS[$asked['hook']] ?? null : null;
        if ($class === null) {
            throw new InvalidArgumentException('The body is no hook that this package knows.');
        }

        return new $class($asked, $request);
    }

    /** What the application gave for the connection when it was opened. */
    public function meta(): mixed
    {
        return $this->connection['meta'] ?? null;
    }
}
