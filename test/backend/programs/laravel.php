<?php
// Runs the controller of docs/hooks/ without Laravel, which Composer alone could fetch: what it uses of Laravel, by the same names.

namespace Illuminate\Http {
    class JsonResponse
    {
        public function __construct(public mixed $data, public int $status) {}
    }

    class Request
    {
        private string $body;

        public function __construct() { $this->body = file_get_contents('php://input'); }
        public function getContent(): string { return $this->body; }
        public function cookie(string $name): ?string { return $_COOKIE[$name] ?? null; }

        public function header(string $name, ?string $default = null): ?string
        {
            return $_SERVER['HTTP_' . strtoupper(strtr($name, '-', '_'))] ?? $default;
        }

        public function json(string $path): mixed
        {
            $value = json_decode($this->body, true);
            foreach (explode('.', $path) as $key) $value = $value[$key] ?? null;
            return $value;
        }
    }
}

namespace {
    function config(string $_): string { return getenv('FANFARE_SECRET'); }

    function response(): object
    {
        return new class {
            public function json(mixed $data, int $status = 200): Illuminate\Http\JsonResponse
            {
                return new Illuminate\Http\JsonResponse($data, $status);
            }
        };
    }

    require __DIR__ . '/../../../docs/hooks/HooksController.php';
    $answer = (new App\Http\Controllers\HooksController())(new Illuminate\Http\Request());
    http_response_code($answer->status);
    header('Content-Type: application/json');
    echo json_encode($answer->data);
}
