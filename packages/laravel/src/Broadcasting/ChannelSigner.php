<?php

namespace Fanfare\Laravel\Broadcasting;

use Fanfare\Laravel\Api\Credentials;
use Fanfare\Laravel\Api\HttpApi;
use InvalidArgumentException;
use RuntimeException;
use Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException;

/** Signs what a client needs to join channels and to sign in, and encrypts what is published in end-to-end encrypted channels. */
final class ChannelSigner
{
    private const ENCRYPTED = 'private-encrypted-';

    public function __construct(private readonly Credentials $credentials, private readonly ?string $encryptionKey) {}

    /** For a private channel, or a presence channel with `user_id` and `user_info`. */
    public function channel(string $connection, string $channel, ?array $member = null): array
    {
        self::check($connection, $channel);
        $data = $member === null ? null : HttpApi::json($member);
        $signature = $this->credentials->sign("{$connection}:{$channel}".($data === null ? '' : ":{$data}"));
        $answer = ['auth' => "{$this->credentials->key()}:{$signature}"];
        if ($data !== null) {
            $answer['channel_data'] = $data;
        }
        if (self::isEncrypted($channel)) {
            $answer['shared_secret'] = base64_encode($this->secretOf($channel));
        }

        return $answer;
    }

    /** For `pusher.signin()`: an array with `id`, and `user_info` and `watchlist` if wanted. */
    public function user(string $connection, array $user): array
    {
        self::check($connection);
        $data = HttpApi::json($user);

        return ['auth' => $this->credentials->key().':'.$this->credentials->sign("{$connection}::user::{$data}"), 'user_data' => $data];
    }

    public static function isEncrypted(string $channel): bool
    {
        return str_starts_with($channel, self::ENCRYPTED);
    }

    /** The JSON that travels in place of the data; no server can read it. */
    public function encrypt(string $channel, string $data): string
    {
        $nonce = random_bytes(SODIUM_CRYPTO_SECRETBOX_NONCEBYTES);
        $sealed = sodium_crypto_secretbox($data, $nonce, $this->secretOf($channel));

        return HttpApi::json(['nonce' => base64_encode($nonce), 'ciphertext' => base64_encode($sealed)]);
    }

    private function secretOf(string $channel): string
    {
        $key = base64_decode($this->encryptionKey ?? '', true);
        if ($key === false || strlen($key) !== 32) {
            throw new InvalidArgumentException("{$channel} is encrypted: set `encryption_key` to 32 random bytes in base64.");
        }
        if (! function_exists('sodium_crypto_secretbox')) {
            throw new RuntimeException("{$channel} is encrypted, which needs the extension sodium.");
        }

        return hash('sha256', $channel.$key, true);
    }

    /** The names come from the client: no text of it may become part of another text that is signed. */
    private static function check(string $connection, string $channel = 'none'): void
    {
        if (! preg_match('/^\d+\.\d+$/D', $connection) || ! preg_match('/^[A-Za-z0-9_\-=@,.;]{1,200}$/D', $channel)) {
            throw new AccessDeniedHttpException('The connection id or the channel is not one.');
        }
    }
}
