/// GET /openapi.json: the routes and their fields, as OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0).
enum OpenAPI {
    static let document = #"""
        {
          "openapi": "3.1.0",
          "info": {
            "title": "encoderd",
            "version": "1",
            "description": "Vectors and weight maps of RNN and Transformer encoders."
          },
          "security": [{"key": []}, {}],
          "paths": {
            "/v1/encode": {
              "post": {
                "operationId": "encode",
                "summary": "Sequences to vectors",
                "parameters": [
                  {
                    "name": "X-Request-Timeout-Ms",
                    "in": "header",
                    "schema": {"type": "integer"},
                    "description": "Work that cannot start before it is not started"
                  },
                  {
                    "name": "X-Request-Id",
                    "in": "header",
                    "schema": {"type": "string", "maxLength": 128}
                  }
                ],
                "requestBody": {
                  "required": true,
                  "content": {
                    "application/json": {
                      "schema": {
                        "type": "object",
                        "required": [
                          "input"
                        ],
                        "additionalProperties": false,
                        "properties": {
                          "model": {
                            "type": "string"
                          },
                          "input": {
                            "description": "One sequence or an array of them",
                            "anyOf": [
                              {
                                "$ref": "#/components/schemas/Sequence"
                              },
                              {
                                "type": "array",
                                "items": {
                                  "$ref": "#/components/schemas/Sequence"
                                }
                              }
                            ]
                          },
                          "output": {
                            "oneOf": [
                              {
                                "$ref": "#/components/schemas/Output"
                              },
                              {
                                "type": "array",
                                "items": {
                                  "$ref": "#/components/schemas/Output"
                                },
                                "minItems": 1
                              }
                            ]
                          },
                          "layer": {
                            "type": "integer",
                            "default": -1
                          },
                          "pooling": {
                            "type": "string",
                            "enum": [
                              "mean",
                              "cls",
                              "last",
                              "max",
                              "mean_sqrt_len",
                              "weighted_mean"
                            ]
                          },
                          "normalize": {
                            "type": "boolean"
                          },
                          "dimensions": {
                            "type": "integer",
                            "minimum": 1
                          },
                          "truncate": {
                            "type": "boolean",
                            "default": true
                          },
                          "initial_state": {
                            "oneOf": [
                              {
                                "$ref": "#/components/schemas/State"
                              },
                              {
                                "type": "array",
                                "items": {
                                  "$ref": "#/components/schemas/State"
                                }
                              }
                            ]
                          },
                          "return_state": {
                            "type": "boolean",
                            "default": false
                          },
                          "encoding_format": {
                            "type": "string",
                            "enum": [
                              "float",
                              "base64"
                            ],
                            "default": "float"
                          },
                          "prompt": {
                            "type": "string",
                            "description": "Stands before every text"
                          },
                          "prompt_name": {
                            "type": "string",
                            "description": "The name of one of the model's prompts, which then does"
                          }
                        }
                      }
                    }
                  }
                },
                "responses": {
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "411": {"$ref": "#/components/responses/LengthRequired"},
                  "200": {
                    "description": "The results",
                    "content": {
                      "application/json": {
                        "schema": {
                          "type": "object",
                          "properties": {
                            "model": {
                              "type": "string"
                            },
                            "data": {
                              "type": "array",
                              "items": {
                                "type": "object",
                                "properties": {
                                  "index": {
                                    "type": "integer"
                                  },
                                  "tokens": {
                                    "type": "integer"
                                  },
                                  "truncated": {
                                    "type": "boolean"
                                  },
                                  "embedding": {
                                    "oneOf": [
                                      {
                                        "type": "array"
                                      },
                                      {
                                        "type": "string",
                                        "format": "byte"
                                      }
                                    ]
                                  },
                                  "states": {
                                    "oneOf": [
                                      {
                                        "type": "array"
                                      },
                                      {
                                        "type": "string",
                                        "format": "byte"
                                      }
                                    ]
                                  },
                                  "logits": {
                                    "oneOf": [
                                      {
                                        "type": "array"
                                      },
                                      {
                                        "type": "string",
                                        "format": "byte"
                                      }
                                    ]
                                  },
                                  "sparse": {
                                    "type": "object",
                                    "description": "Token ids, ascending, and their values; the others are 0",
                                    "properties": {
                                      "index": {"type": "array", "items": {"type": "integer"}},
                                      "value": {"type": "array", "items": {"type": "number"}}
                                    }
                                  },
                                  "labels": {
                                    "type": "array",
                                    "items": {
                                      "type": "object",
                                      "properties": {
                                        "label": {
                                          "type": "string"
                                        },
                                        "score": {
                                          "type": "number"
                                        }
                                      }
                                    }
                                  },
                                  "state": {
                                    "$ref": "#/components/schemas/State"
                                  }
                                }
                              }
                            },
                            "usage": {
                              "type": "object",
                              "properties": {
                                "prompt_tokens": {
                                  "type": "integer"
                                },
                                "total_tokens": {
                                  "type": "integer"
                                }
                              }
                            }
                          }
                        }
                      },
                      "application/x-npy": {
                        "schema": {
                          "type": "string",
                          "format": "binary"
                        }
                      },
                      "application/vnd.safetensors": {
                        "schema": {
                          "type": "string",
                          "format": "binary"
                        }
                      }
                    }
                  },
                  "400": {
                    "description": "Malformed JSON, a wrong type, an unknown field or value",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "404": {
                    "description": "No such model",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "413": {
                    "description": "Too many sequences, tokens or JSON values, too long a prompt for so many texts, or too large a body",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "415": {
                    "description": "Not application/json, or a content coding other than gzip and deflate",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "422": {
                    "description": "This model cannot do it",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "429": {
                    "description": "The queue is full; see Retry-After",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "503": {
                    "description": "Loading (see Retry-After) or draining",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "504": {
                    "description": "The deadline passed before the work started",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  }
                }
              }
            },
            "/v1/attention": {
              "get": {
                "operationId": "attentionByQuery",
                "summary": "Weight maps of one sequence, by URL",
                "parameters": [
                  {
                    "name": "X-Request-Timeout-Ms",
                    "in": "header",
                    "schema": {"type": "integer"},
                    "description": "Work that cannot start before it is not started"
                  },
                  {
                    "name": "X-Request-Id",
                    "in": "header",
                    "schema": {"type": "string", "maxLength": 128}
                  },
                  {
                    "name": "model",
                    "in": "query",
                    "required": false,
                    "schema": {"type": "string"}
                  },
                  {
                    "name": "input",
                    "in": "query",
                    "required": true,
                    "schema": {"type": "string"}
                  },
                  {
                    "name": "truncate",
                    "in": "query",
                    "required": false,
                    "schema": {"type": "boolean"}
                  },
                  {
                    "name": "layers",
                    "in": "query",
                    "required": false,
                    "schema": {"type": "string"}
                  },
                  {
                    "name": "heads",
                    "in": "query",
                    "required": false,
                    "schema": {"type": "string"}
                  },
                  {
                    "name": "queries",
                    "in": "query",
                    "required": false,
                    "schema": {"type": "string"}
                  },
                  {
                    "name": "head_reduce",
                    "in": "query",
                    "required": false,
                    "schema": {
                      "type": "string",
                      "enum": ["none", "mean", "max"]
                    }
                  },
                  {
                    "name": "method",
                    "in": "query",
                    "required": false,
                    "schema": {
                      "type": "string",
                      "enum": [
                        "raw",
                        "write_contribution",
                        "jacobian"
                      ]
                    }
                  },
                  {
                    "name": "special_tokens",
                    "in": "query",
                    "required": false,
                    "schema": {
                      "type": "string",
                      "enum": [
                        "keep",
                        "hide",
                        "renormalize"
                      ]
                    }
                  },
                  {
                    "name": "select",
                    "in": "query",
                    "required": false,
                    "schema": {"type": "string"}
                  },
                  {
                    "name": "format",
                    "in": "query",
                    "required": false,
                    "schema": {
                      "type": "string",
                      "enum": [
                        "json",
                        "npy",
                        "safetensors",
                        "svg",
                        "png"
                      ]
                    }
                  },
                  {
                    "name": "dtype",
                    "in": "query",
                    "required": false,
                    "schema": {
                      "type": "string",
                      "enum": ["f32", "f16"]
                    }
                  }
                ],
                "responses": {
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "200": {
                    "description": "The weight maps",
                    "content": {
                      "application/json": {
                        "schema": {
                          "type": "object"
                        }
                      },
                      "application/x-npy": {
                        "schema": {
                          "type": "string",
                          "format": "binary"
                        }
                      },
                      "application/vnd.safetensors": {
                        "schema": {
                          "type": "string",
                          "format": "binary"
                        }
                      },
                      "image/svg+xml": {
                        "schema": {
                          "type": "string"
                        }
                      },
                      "image/png": {
                        "schema": {
                          "type": "string",
                          "format": "binary"
                        }
                      }
                    }
                  },
                  "400": {
                    "description": "Malformed JSON, a wrong type, an unknown field or value",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "404": {
                    "description": "No such model",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "413": {
                    "description": "Too many sequences, tokens or JSON values, or too large a body",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "415": {
                    "description": "Not application/json, or a content coding other than gzip and deflate",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "422": {
                    "description": "This model cannot do it",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "429": {
                    "description": "The queue is full; see Retry-After",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "503": {
                    "description": "Loading (see Retry-After) or draining",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "504": {
                    "description": "The deadline passed before the work started",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  }
                }
              },
              "post": {
                "operationId": "attention",
                "summary": "Weight maps of one sequence",
                "parameters": [
                  {
                    "name": "X-Request-Timeout-Ms",
                    "in": "header",
                    "schema": {"type": "integer"},
                    "description": "Work that cannot start before it is not started"
                  },
                  {
                    "name": "X-Request-Id",
                    "in": "header",
                    "schema": {"type": "string", "maxLength": 128}
                  }
                ],
                "requestBody": {
                  "required": true,
                  "content": {
                    "application/json": {
                      "schema": {
                        "type": "object",
                        "required": [
                          "input"
                        ],
                        "additionalProperties": false,
                        "properties": {
                          "model": {
                            "type": "string"
                          },
                          "input": {
                            "description": "One sequence or an array of them",
                            "anyOf": [
                              {
                                "$ref": "#/components/schemas/Sequence"
                              },
                              {
                                "type": "array",
                                "items": {
                                  "$ref": "#/components/schemas/Sequence"
                                }
                              }
                            ]
                          },
                          "truncate": {
                            "type": "boolean"
                          },
                          "layers": {
                            "oneOf": [
                              {
                                "type": "string",
                                "enum": [
                                  "all"
                                ]
                              },
                              {
                                "type": "integer"
                              },
                              {
                                "type": "array",
                                "items": {
                                  "type": "integer"
                                }
                              }
                            ]
                          },
                          "heads": {
                            "oneOf": [
                              {
                                "type": "string",
                                "enum": [
                                  "all"
                                ]
                              },
                              {
                                "type": "integer"
                              },
                              {
                                "type": "array",
                                "items": {
                                  "type": "integer"
                                }
                              }
                            ]
                          },
                          "queries": {
                            "oneOf": [
                              {
                                "type": "string",
                                "enum": [
                                  "all"
                                ]
                              },
                              {
                                "type": "integer"
                              },
                              {
                                "type": "array",
                                "items": {
                                  "type": "integer"
                                }
                              }
                            ]
                          },
                          "head_reduce": {
                            "type": "string",
                            "enum": [
                              "none",
                              "mean",
                              "max"
                            ]
                          },
                          "method": {
                            "type": "string",
                            "enum": [
                              "raw",
                              "write_contribution",
                              "jacobian"
                            ]
                          },
                          "special_tokens": {
                            "type": "string",
                            "enum": [
                              "keep",
                              "hide",
                              "renormalize"
                            ]
                          },
                          "select": {
                            "type": "object",
                            "properties": {
                              "top_k": {
                                "type": "integer"
                              },
                              "mass": {
                                "type": "number"
                              }
                            }
                          },
                          "format": {
                            "type": "string",
                            "enum": [
                              "json",
                              "npy",
                              "safetensors",
                              "svg",
                              "png"
                            ]
                          },
                          "dtype": {
                            "type": "string",
                            "enum": [
                              "f32",
                              "f16"
                            ]
                          }
                        }
                      }
                    }
                  }
                },
                "responses": {
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "411": {"$ref": "#/components/responses/LengthRequired"},
                  "200": {
                    "description": "The weight maps",
                    "content": {
                      "application/json": {
                        "schema": {
                          "type": "object"
                        }
                      },
                      "application/x-npy": {
                        "schema": {
                          "type": "string",
                          "format": "binary"
                        }
                      },
                      "application/vnd.safetensors": {
                        "schema": {
                          "type": "string",
                          "format": "binary"
                        }
                      },
                      "image/svg+xml": {
                        "schema": {
                          "type": "string"
                        }
                      },
                      "image/png": {
                        "schema": {
                          "type": "string",
                          "format": "binary"
                        }
                      }
                    }
                  },
                  "400": {
                    "description": "Malformed JSON, a wrong type, an unknown field or value",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "404": {
                    "description": "No such model",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "413": {
                    "description": "Too many sequences, tokens or JSON values, or too large a body",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "415": {
                    "description": "Not application/json, or a content coding other than gzip and deflate",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "422": {
                    "description": "This model cannot do it",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "429": {
                    "description": "The queue is full; see Retry-After",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "503": {
                    "description": "Loading (see Retry-After) or draining",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  },
                  "504": {
                    "description": "The deadline passed before the work started",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  }
                }
              }
            },
            "/v1/models": {
              "get": {
                "operationId": "models",
                "summary": "The loaded models",
                "responses": {
                  "503": {"$ref": "#/components/responses/Loading"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "200": {
                    "description": "A list",
                    "content": {
                      "application/json": {
                        "schema": {
                          "type": "object"
                        }
                      }
                    }
                  }
                }
              }
            },
            "/v1/models/{name}": {
              "get": {
                "operationId": "model",
                "summary": "One model",
                "parameters": [
                  {
                    "name": "name",
                    "in": "path",
                    "required": true,
                    "schema": {"type": "string"}
                  }
                ],
                "responses": {
                  "503": {"$ref": "#/components/responses/Loading"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "200": {
                    "description": "The model",
                    "content": {
                      "application/json": {
                        "schema": {
                          "type": "object"
                        }
                      }
                    }
                  },
                  "404": {
                    "description": "No such model",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  }
                }
              }
            },
            "/health": {
              "get": {
                "security": [],
                "operationId": "health",
                "summary": "The process lives",
                "responses": {
                  "200": {
                    "description": "It does",
                    "content": {
                      "application/json": {
                        "schema": {
                          "type": "object"
                        }
                      }
                    }
                  }
                }
              }
            },
            "/ready": {
              "get": {
                "security": [],
                "operationId": "ready",
                "summary": "The server takes work",
                "responses": {
                  "200": {
                    "description": "It does",
                    "content": {
                      "application/json": {
                        "schema": {
                          "type": "object"
                        }
                      }
                    }
                  },
                  "503": {
                    "description": "Loading (see Retry-After) or draining",
                    "content": {
                      "application/json": {
                        "schema": {
                          "$ref": "#/components/schemas/Error"
                        }
                      }
                    }
                  }
                }
              }
            },
            "/metrics": {
              "get": {
                "operationId": "metrics",
                "summary": "Prometheus text",
                "responses": {
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "200": {
                    "description": "Metrics",
                    "content": {
                      "text/plain": {
                        "schema": {
                          "type": "string"
                        }
                      }
                    }
                  }
                }
              }
            },
            "/openapi.json": {
              "get": {
                "operationId": "openapi",
                "summary": "This document",
                "responses": {
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "200": {
                    "description": "OpenAPI 3.1",
                    "content": {
                      "application/json": {
                        "schema": {
                          "type": "object"
                        }
                      }
                    }
                  }
                }
              }
            },
            "/": {
              "get": {
                "operationId": "page",
                "summary": "A page to try the server",
                "responses": {
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "200": {
                    "description": "HTML",
                    "content": {
                      "text/html": {
                        "schema": {
                          "type": "string"
                        }
                      }
                    }
                  }
                }
              }
            }
          },
          "components": {
            "securitySchemes": {
              "key": {
                "type": "http",
                "scheme": "bearer",
                "description": "One of the server's keys, where it has any"
              }
            },
            "responses": {
              "Unauthorized": {
                "description": "No key, or a wrong one",
                "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
              },
              "Loading": {
                "description": "The models are being loaded",
                "headers": {"Retry-After": {"schema": {"type": "integer"}}},
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
              },
              "LengthRequired": {
                "description": "Neither a body nor its length",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
              }
            },
            "schemas": {
              "Sequence": {
                "description": "Text, a text pair, token ids or feature vectors",
                "oneOf": [
                  {"type": "string"},
                  {
                    "type": "object",
                    "required": ["text", "pair"],
                    "additionalProperties": false,
                    "properties": {
                      "text": {"type": "string"},
                      "pair": {"type": "string"}
                    }
                  },
                  {"type": "array", "items": {"type": "integer"}},
                  {
                    "type": "array",
                    "items": {
                      "type": "array",
                      "items": {"type": "number"}
                    }
                  }
                ]
              },
              "Output": {"type": "string", "enum": ["embedding", "states", "logits", "sparse"]},
              "Matrix": {
                "type": "array",
                "items": {"type": "array", "items": {"type": "number"}}
              },
              "State": {
                "type": "object",
                "properties": {
                  "hidden": {"$ref": "#/components/schemas/Matrix"},
                  "cell": {"$ref": "#/components/schemas/Matrix"}
                }
              },
              "Error": {
                "type": "object",
                "required": ["error"],
                "properties": {
                  "error": {
                    "type": "object",
                    "required": ["message", "type", "code"],
                    "properties": {
                      "message": {
                        "type": "string"
                      },
                      "type": {
                        "type": "string"
                      },
                      "param": {
                        "type": [
                          "string",
                          "null"
                        ]
                      },
                      "code": {
                        "type": "string"
                      }
                    }
                  }
                }
              }
            }
          }
        }
        """#
}
