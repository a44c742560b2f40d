import * as $protobuf from "protobufjs/minimal.js";

/** Namespace tendermint. */
export namespace tendermint {

    /** Namespace blocksync. */
    namespace blocksync {

        /**
         * Properties of a BlockRequest.
         * @deprecated Use tendermint.blocksync.BlockRequest.$Properties instead.
         */
        interface IBlockRequest extends tendermint.blocksync.BlockRequest.$Properties {
        }

        /** Represents a BlockRequest. */
        class BlockRequest {

            /**
             * Constructs a new BlockRequest.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.blocksync.BlockRequest.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** BlockRequest height. */
            height: (bigint);

            /**
             * Encodes the specified BlockRequest message. Does not implicitly {@link tendermint.blocksync.BlockRequest.verify|verify} messages.
             * @param message BlockRequest message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.blocksync.BlockRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a BlockRequest message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.blocksync.BlockRequest & tendermint.blocksync.BlockRequest.$Shape} BlockRequest
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.blocksync.BlockRequest & tendermint.blocksync.BlockRequest.$Shape;
        }

        namespace BlockRequest {

            /** Properties of a BlockRequest. */
            interface $Properties {

                /** BlockRequest height */
                height?: (bigint|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a BlockRequest. */
            type $Shape = tendermint.blocksync.BlockRequest.$Properties;
        }

        /**
         * Properties of a NoBlockResponse.
         * @deprecated Use tendermint.blocksync.NoBlockResponse.$Properties instead.
         */
        interface INoBlockResponse extends tendermint.blocksync.NoBlockResponse.$Properties {
        }

        /** Represents a NoBlockResponse. */
        class NoBlockResponse {

            /**
             * Constructs a new NoBlockResponse.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.blocksync.NoBlockResponse.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** NoBlockResponse height. */
            height: (bigint);

            /**
             * Encodes the specified NoBlockResponse message. Does not implicitly {@link tendermint.blocksync.NoBlockResponse.verify|verify} messages.
             * @param message NoBlockResponse message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.blocksync.NoBlockResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a NoBlockResponse message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.blocksync.NoBlockResponse & tendermint.blocksync.NoBlockResponse.$Shape} NoBlockResponse
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.blocksync.NoBlockResponse & tendermint.blocksync.NoBlockResponse.$Shape;
        }

        namespace NoBlockResponse {

            /** Properties of a NoBlockResponse. */
            interface $Properties {

                /** NoBlockResponse height */
                height?: (bigint|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a NoBlockResponse. */
            type $Shape = tendermint.blocksync.NoBlockResponse.$Properties;
        }

        /**
         * Properties of a BlockResponse.
         * @deprecated Use tendermint.blocksync.BlockResponse.$Properties instead.
         */
        interface IBlockResponse extends tendermint.blocksync.BlockResponse.$Properties {
        }

        /** Represents a BlockResponse. */
        class BlockResponse {

            /**
             * Constructs a new BlockResponse.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.blocksync.BlockResponse.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** BlockResponse block. */
            block?: (tendermint.types.Block.$Properties|null);

            /** BlockResponse extCommit. */
            extCommit?: (tendermint.types.ExtendedCommit.$Properties|null);

            /**
             * Encodes the specified BlockResponse message. Does not implicitly {@link tendermint.blocksync.BlockResponse.verify|verify} messages.
             * @param message BlockResponse message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.blocksync.BlockResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a BlockResponse message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.blocksync.BlockResponse & tendermint.blocksync.BlockResponse.$Shape} BlockResponse
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.blocksync.BlockResponse & tendermint.blocksync.BlockResponse.$Shape;
        }

        namespace BlockResponse {

            /** Properties of a BlockResponse. */
            interface $Properties {

                /** BlockResponse block */
                block?: (tendermint.types.Block.$Properties|null);

                /** BlockResponse extCommit */
                extCommit?: (tendermint.types.ExtendedCommit.$Properties|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a BlockResponse. */
            type $Shape = {
              block?: tendermint.types.Block.$Shape|null;
              extCommit?: tendermint.types.ExtendedCommit.$Shape|null;
              $unknowns?: Uint8Array[];
            };
        }

        /**
         * Properties of a StatusRequest.
         * @deprecated Use tendermint.blocksync.StatusRequest.$Properties instead.
         */
        interface IStatusRequest extends tendermint.blocksync.StatusRequest.$Properties {
        }

        /** Represents a StatusRequest. */
        class StatusRequest {

            /**
             * Constructs a new StatusRequest.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.blocksync.StatusRequest.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /**
             * Encodes the specified StatusRequest message. Does not implicitly {@link tendermint.blocksync.StatusRequest.verify|verify} messages.
             * @param message StatusRequest message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.blocksync.StatusRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a StatusRequest message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.blocksync.StatusRequest & tendermint.blocksync.StatusRequest.$Shape} StatusRequest
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.blocksync.StatusRequest & tendermint.blocksync.StatusRequest.$Shape;
        }

        namespace StatusRequest {

            /** Properties of a StatusRequest. */
            interface $Properties {

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a StatusRequest. */
            type $Shape = tendermint.blocksync.StatusRequest.$Properties;
        }

        /**
         * Properties of a StatusResponse.
         * @deprecated Use tendermint.blocksync.StatusResponse.$Properties instead.
         */
        interface IStatusResponse extends tendermint.blocksync.StatusResponse.$Properties {
        }

        /** Represents a StatusResponse. */
        class StatusResponse {

            /**
             * Constructs a new StatusResponse.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.blocksync.StatusResponse.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** StatusResponse height. */
            height: (bigint);

            /** StatusResponse base. */
            base: (bigint);

            /**
             * Encodes the specified StatusResponse message. Does not implicitly {@link tendermint.blocksync.StatusResponse.verify|verify} messages.
             * @param message StatusResponse message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.blocksync.StatusResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a StatusResponse message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.blocksync.StatusResponse & tendermint.blocksync.StatusResponse.$Shape} StatusResponse
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.blocksync.StatusResponse & tendermint.blocksync.StatusResponse.$Shape;
        }

        namespace StatusResponse {

            /** Properties of a StatusResponse. */
            interface $Properties {

                /** StatusResponse height */
                height?: (bigint|null);

                /** StatusResponse base */
                base?: (bigint|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a StatusResponse. */
            type $Shape = tendermint.blocksync.StatusResponse.$Properties;
        }

        /**
         * Properties of a Message.
         * @deprecated Use tendermint.blocksync.Message.$Properties instead.
         */
        interface IMessage extends tendermint.blocksync.Message.$Properties {
        }

        /** Represents a Message. */
        class Message {

            /**
             * Constructs a new Message.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.blocksync.Message.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Message blockRequest. */
            blockRequest?: (tendermint.blocksync.BlockRequest.$Properties|null);

            /** Message noBlockResponse. */
            noBlockResponse?: (tendermint.blocksync.NoBlockResponse.$Properties|null);

            /** Message blockResponse. */
            blockResponse?: (tendermint.blocksync.BlockResponse.$Properties|null);

            /** Message statusRequest. */
            statusRequest?: (tendermint.blocksync.StatusRequest.$Properties|null);

            /** Message statusResponse. */
            statusResponse?: (tendermint.blocksync.StatusResponse.$Properties|null);

            /** Message sum. */
            sum?: ("blockRequest"|"noBlockResponse"|"blockResponse"|"statusRequest"|"statusResponse");

            /**
             * Encodes the specified Message message. Does not implicitly {@link tendermint.blocksync.Message.verify|verify} messages.
             * @param message Message message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.blocksync.Message.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Message message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.blocksync.Message & tendermint.blocksync.Message.$Shape} Message
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.blocksync.Message & tendermint.blocksync.Message.$Shape;
        }

        namespace Message {

            /** Properties of a Message. */
            interface $Properties {

                /** Message blockRequest */
                blockRequest?: (tendermint.blocksync.BlockRequest.$Properties|null);

                /** Message noBlockResponse */
                noBlockResponse?: (tendermint.blocksync.NoBlockResponse.$Properties|null);

                /** Message blockResponse */
                blockResponse?: (tendermint.blocksync.BlockResponse.$Properties|null);

                /** Message statusRequest */
                statusRequest?: (tendermint.blocksync.StatusRequest.$Properties|null);

                /** Message statusResponse */
                statusResponse?: (tendermint.blocksync.StatusResponse.$Properties|null);

                /** Message sum */
                sum?: ("blockRequest"|"noBlockResponse"|"blockResponse"|"statusRequest"|"statusResponse");

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Narrowed shape of a Message. */
            type $Shape = {
              blockRequest?: tendermint.blocksync.BlockRequest.$Shape|null;
              noBlockResponse?: tendermint.blocksync.NoBlockResponse.$Shape|null;
              blockResponse?: tendermint.blocksync.BlockResponse.$Shape|null;
              statusRequest?: tendermint.blocksync.StatusRequest.$Shape|null;
              statusResponse?: tendermint.blocksync.StatusResponse.$Shape|null;
              $unknowns?: Uint8Array[];
            } & (
              ({ sum?: undefined; blockRequest?: null; noBlockResponse?: null; blockResponse?: null; statusRequest?: null; statusResponse?: null }|{ sum?: "blockRequest"; blockRequest: tendermint.blocksync.BlockRequest.$Shape; noBlockResponse?: null; blockResponse?: null; statusRequest?: null; statusResponse?: null }|{ sum?: "noBlockResponse"; blockRequest?: null; noBlockResponse: tendermint.blocksync.NoBlockResponse.$Shape; blockResponse?: null; statusRequest?: null; statusResponse?: null }|{ sum?: "blockResponse"; blockRequest?: null; noBlockResponse?: null; blockResponse: tendermint.blocksync.BlockResponse.$Shape; statusRequest?: null; statusResponse?: null }|{ sum?: "statusRequest"; blockRequest?: null; noBlockResponse?: null; blockResponse?: null; statusRequest: tendermint.blocksync.StatusRequest.$Shape; statusResponse?: null }|{ sum?: "statusResponse"; blockRequest?: null; noBlockResponse?: null; blockResponse?: null; statusRequest?: null; statusResponse: tendermint.blocksync.StatusResponse.$Shape })
            );
        }
    }

    /** Namespace types. */
    namespace types {

        /**
         * Properties of a Block.
         * @deprecated Use tendermint.types.Block.$Properties instead.
         */
        interface IBlock extends tendermint.types.Block.$Properties {
        }

        /** Represents a Block. */
        class Block {

            /**
             * Constructs a new Block.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.Block.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Block header. */
            header?: (tendermint.types.Header.$Properties|null);

            /** Block data. */
            data?: (tendermint.types.Data.$Properties|null);

            /** Block evidence. */
            evidence?: (tendermint.types.EvidenceList.$Properties|null);

            /** Block lastCommit. */
            lastCommit?: (tendermint.types.Commit.$Properties|null);

            /**
             * Encodes the specified Block message. Does not implicitly {@link tendermint.types.Block.verify|verify} messages.
             * @param message Block message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.Block.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Block message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.Block & tendermint.types.Block.$Shape} Block
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.Block & tendermint.types.Block.$Shape;
        }

        namespace Block {

            /** Properties of a Block. */
            interface $Properties {

                /** Block header */
                header?: (tendermint.types.Header.$Properties|null);

                /** Block data */
                data?: (tendermint.types.Data.$Properties|null);

                /** Block evidence */
                evidence?: (tendermint.types.EvidenceList.$Properties|null);

                /** Block lastCommit */
                lastCommit?: (tendermint.types.Commit.$Properties|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Block. */
            type $Shape = {
              header?: tendermint.types.Header.$Shape|null;
              data?: tendermint.types.Data.$Shape|null;
              evidence?: tendermint.types.EvidenceList.$Shape|null;
              lastCommit?: tendermint.types.Commit.$Shape|null;
              $unknowns?: Uint8Array[];
            };
        }

        /**
         * Properties of an Evidence.
         * @deprecated Use tendermint.types.Evidence.$Properties instead.
         */
        interface IEvidence extends tendermint.types.Evidence.$Properties {
        }

        /** Represents an Evidence. */
        class Evidence {

            /**
             * Constructs a new Evidence.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.Evidence.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Evidence duplicateVoteEvidence. */
            duplicateVoteEvidence?: (tendermint.types.DuplicateVoteEvidence.$Properties|null);

            /** Evidence lightClientAttackEvidence. */
            lightClientAttackEvidence?: (tendermint.types.LightClientAttackEvidence.$Properties|null);

            /** Evidence sum. */
            sum?: ("duplicateVoteEvidence"|"lightClientAttackEvidence");

            /**
             * Encodes the specified Evidence message. Does not implicitly {@link tendermint.types.Evidence.verify|verify} messages.
             * @param message Evidence message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.Evidence.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an Evidence message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.Evidence & tendermint.types.Evidence.$Shape} Evidence
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.Evidence & tendermint.types.Evidence.$Shape;
        }

        namespace Evidence {

            /** Properties of an Evidence. */
            interface $Properties {

                /** Evidence duplicateVoteEvidence */
                duplicateVoteEvidence?: (tendermint.types.DuplicateVoteEvidence.$Properties|null);

                /** Evidence lightClientAttackEvidence */
                lightClientAttackEvidence?: (tendermint.types.LightClientAttackEvidence.$Properties|null);

                /** Evidence sum */
                sum?: ("duplicateVoteEvidence"|"lightClientAttackEvidence");

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Narrowed shape of an Evidence. */
            type $Shape = {
              duplicateVoteEvidence?: tendermint.types.DuplicateVoteEvidence.$Shape|null;
              lightClientAttackEvidence?: tendermint.types.LightClientAttackEvidence.$Shape|null;
              $unknowns?: Uint8Array[];
            } & (
              ({ sum?: undefined; duplicateVoteEvidence?: null; lightClientAttackEvidence?: null }|{ sum?: "duplicateVoteEvidence"; duplicateVoteEvidence: tendermint.types.DuplicateVoteEvidence.$Shape; lightClientAttackEvidence?: null }|{ sum?: "lightClientAttackEvidence"; duplicateVoteEvidence?: null; lightClientAttackEvidence: tendermint.types.LightClientAttackEvidence.$Shape })
            );
        }

        /**
         * Properties of a DuplicateVoteEvidence.
         * @deprecated Use tendermint.types.DuplicateVoteEvidence.$Properties instead.
         */
        interface IDuplicateVoteEvidence extends tendermint.types.DuplicateVoteEvidence.$Properties {
        }

        /** Represents a DuplicateVoteEvidence. */
        class DuplicateVoteEvidence {

            /**
             * Constructs a new DuplicateVoteEvidence.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.DuplicateVoteEvidence.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** DuplicateVoteEvidence voteA. */
            voteA?: (tendermint.types.Vote.$Properties|null);

            /** DuplicateVoteEvidence voteB. */
            voteB?: (tendermint.types.Vote.$Properties|null);

            /** DuplicateVoteEvidence totalVotingPower. */
            totalVotingPower: (bigint);

            /** DuplicateVoteEvidence validatorPower. */
            validatorPower: (bigint);

            /** DuplicateVoteEvidence timestamp. */
            timestamp?: (google.protobuf.Timestamp.$Properties|null);

            /**
             * Encodes the specified DuplicateVoteEvidence message. Does not implicitly {@link tendermint.types.DuplicateVoteEvidence.verify|verify} messages.
             * @param message DuplicateVoteEvidence message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.DuplicateVoteEvidence.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a DuplicateVoteEvidence message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.DuplicateVoteEvidence & tendermint.types.DuplicateVoteEvidence.$Shape} DuplicateVoteEvidence
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.DuplicateVoteEvidence & tendermint.types.DuplicateVoteEvidence.$Shape;
        }

        namespace DuplicateVoteEvidence {

            /** Properties of a DuplicateVoteEvidence. */
            interface $Properties {

                /** DuplicateVoteEvidence voteA */
                voteA?: (tendermint.types.Vote.$Properties|null);

                /** DuplicateVoteEvidence voteB */
                voteB?: (tendermint.types.Vote.$Properties|null);

                /** DuplicateVoteEvidence totalVotingPower */
                totalVotingPower?: (bigint|null);

                /** DuplicateVoteEvidence validatorPower */
                validatorPower?: (bigint|null);

                /** DuplicateVoteEvidence timestamp */
                timestamp?: (google.protobuf.Timestamp.$Properties|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a DuplicateVoteEvidence. */
            type $Shape = tendermint.types.DuplicateVoteEvidence.$Properties;
        }

        /**
         * Properties of a LightClientAttackEvidence.
         * @deprecated Use tendermint.types.LightClientAttackEvidence.$Properties instead.
         */
        interface ILightClientAttackEvidence extends tendermint.types.LightClientAttackEvidence.$Properties {
        }

        /** Represents a LightClientAttackEvidence. */
        class LightClientAttackEvidence {

            /**
             * Constructs a new LightClientAttackEvidence.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.LightClientAttackEvidence.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** LightClientAttackEvidence conflictingBlock. */
            conflictingBlock?: (tendermint.types.LightBlock.$Properties|null);

            /** LightClientAttackEvidence commonHeight. */
            commonHeight: (bigint);

            /** LightClientAttackEvidence byzantineValidators. */
            byzantineValidators: tendermint.types.Validator.$Properties[];

            /** LightClientAttackEvidence totalVotingPower. */
            totalVotingPower: (bigint);

            /** LightClientAttackEvidence timestamp. */
            timestamp?: (google.protobuf.Timestamp.$Properties|null);

            /**
             * Encodes the specified LightClientAttackEvidence message. Does not implicitly {@link tendermint.types.LightClientAttackEvidence.verify|verify} messages.
             * @param message LightClientAttackEvidence message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.LightClientAttackEvidence.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a LightClientAttackEvidence message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.LightClientAttackEvidence & tendermint.types.LightClientAttackEvidence.$Shape} LightClientAttackEvidence
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.LightClientAttackEvidence & tendermint.types.LightClientAttackEvidence.$Shape;
        }

        namespace LightClientAttackEvidence {

            /** Properties of a LightClientAttackEvidence. */
            interface $Properties {

                /** LightClientAttackEvidence conflictingBlock */
                conflictingBlock?: (tendermint.types.LightBlock.$Properties|null);

                /** LightClientAttackEvidence commonHeight */
                commonHeight?: (bigint|null);

                /** LightClientAttackEvidence byzantineValidators */
                byzantineValidators?: (tendermint.types.Validator.$Properties[]|null);

                /** LightClientAttackEvidence totalVotingPower */
                totalVotingPower?: (bigint|null);

                /** LightClientAttackEvidence timestamp */
                timestamp?: (google.protobuf.Timestamp.$Properties|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a LightClientAttackEvidence. */
            type $Shape = {
              conflictingBlock?: tendermint.types.LightBlock.$Shape|null;
              commonHeight?: bigint|null;
              byzantineValidators?: tendermint.types.Validator.$Shape[]|null;
              totalVotingPower?: bigint|null;
              timestamp?: google.protobuf.Timestamp.$Shape|null;
              $unknowns?: Uint8Array[];
            };
        }

        /**
         * Properties of an EvidenceList.
         * @deprecated Use tendermint.types.EvidenceList.$Properties instead.
         */
        interface IEvidenceList extends tendermint.types.EvidenceList.$Properties {
        }

        /** Represents an EvidenceList. */
        class EvidenceList {

            /**
             * Constructs a new EvidenceList.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.EvidenceList.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** EvidenceList evidence. */
            evidence: tendermint.types.Evidence.$Properties[];

            /**
             * Encodes the specified EvidenceList message. Does not implicitly {@link tendermint.types.EvidenceList.verify|verify} messages.
             * @param message EvidenceList message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.EvidenceList.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an EvidenceList message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.EvidenceList & tendermint.types.EvidenceList.$Shape} EvidenceList
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.EvidenceList & tendermint.types.EvidenceList.$Shape;
        }

        namespace EvidenceList {

            /** Properties of an EvidenceList. */
            interface $Properties {

                /** EvidenceList evidence */
                evidence?: (tendermint.types.Evidence.$Properties[]|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of an EvidenceList. */
            type $Shape = {
              evidence?: tendermint.types.Evidence.$Shape[]|null;
              $unknowns?: Uint8Array[];
            };
        }

        /** SignedMsgType enum. */
        enum SignedMsgType {

            /** SIGNED_MSG_TYPE_UNKNOWN value */
            SIGNED_MSG_TYPE_UNKNOWN = 0,

            /** SIGNED_MSG_TYPE_PREVOTE value */
            SIGNED_MSG_TYPE_PREVOTE = 1,

            /** SIGNED_MSG_TYPE_PRECOMMIT value */
            SIGNED_MSG_TYPE_PRECOMMIT = 2,

            /** SIGNED_MSG_TYPE_PROPOSAL value */
            SIGNED_MSG_TYPE_PROPOSAL = 32
        }

        /**
         * Properties of a PartSetHeader.
         * @deprecated Use tendermint.types.PartSetHeader.$Properties instead.
         */
        interface IPartSetHeader extends tendermint.types.PartSetHeader.$Properties {
        }

        /** Represents a PartSetHeader. */
        class PartSetHeader {

            /**
             * Constructs a new PartSetHeader.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.PartSetHeader.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** PartSetHeader total. */
            total: number;

            /** PartSetHeader hash. */
            hash: Uint8Array;

            /**
             * Encodes the specified PartSetHeader message. Does not implicitly {@link tendermint.types.PartSetHeader.verify|verify} messages.
             * @param message PartSetHeader message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.PartSetHeader.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a PartSetHeader message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.PartSetHeader & tendermint.types.PartSetHeader.$Shape} PartSetHeader
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.PartSetHeader & tendermint.types.PartSetHeader.$Shape;
        }

        namespace PartSetHeader {

            /** Properties of a PartSetHeader. */
            interface $Properties {

                /** PartSetHeader total */
                total?: (number|null);

                /** PartSetHeader hash */
                hash?: (Uint8Array|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a PartSetHeader. */
            type $Shape = tendermint.types.PartSetHeader.$Properties;
        }

        /**
         * Properties of a BlockID.
         * @deprecated Use tendermint.types.BlockID.$Properties instead.
         */
        interface IBlockID extends tendermint.types.BlockID.$Properties {
        }

        /** Represents a BlockID. */
        class BlockID {

            /**
             * Constructs a new BlockID.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.BlockID.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** BlockID hash. */
            hash: Uint8Array;

            /** BlockID partSetHeader. */
            partSetHeader?: (tendermint.types.PartSetHeader.$Properties|null);

            /**
             * Encodes the specified BlockID message. Does not implicitly {@link tendermint.types.BlockID.verify|verify} messages.
             * @param message BlockID message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.BlockID.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a BlockID message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.BlockID & tendermint.types.BlockID.$Shape} BlockID
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.BlockID & tendermint.types.BlockID.$Shape;
        }

        namespace BlockID {

            /** Properties of a BlockID. */
            interface $Properties {

                /** BlockID hash */
                hash?: (Uint8Array|null);

                /** BlockID partSetHeader */
                partSetHeader?: (tendermint.types.PartSetHeader.$Properties|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a BlockID. */
            type $Shape = tendermint.types.BlockID.$Properties;
        }

        /**
         * Properties of a Header.
         * @deprecated Use tendermint.types.Header.$Properties instead.
         */
        interface IHeader extends tendermint.types.Header.$Properties {
        }

        /** Represents a Header. */
        class Header {

            /**
             * Constructs a new Header.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.Header.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Header version. */
            version?: (tendermint.version.Consensus.$Properties|null);

            /** Header chainId. */
            chainId: string;

            /** Header height. */
            height: (bigint);

            /** Header time. */
            time?: (google.protobuf.Timestamp.$Properties|null);

            /** Header lastBlockId. */
            lastBlockId?: (tendermint.types.BlockID.$Properties|null);

            /** Header lastCommitHash. */
            lastCommitHash: Uint8Array;

            /** Header dataHash. */
            dataHash: Uint8Array;

            /** Header validatorsHash. */
            validatorsHash: Uint8Array;

            /** Header nextValidatorsHash. */
            nextValidatorsHash: Uint8Array;

            /** Header consensusHash. */
            consensusHash: Uint8Array;

            /** Header appHash. */
            appHash: Uint8Array;

            /** Header lastResultsHash. */
            lastResultsHash: Uint8Array;

            /** Header evidenceHash. */
            evidenceHash: Uint8Array;

            /** Header proposerAddress. */
            proposerAddress: Uint8Array;

            /**
             * Encodes the specified Header message. Does not implicitly {@link tendermint.types.Header.verify|verify} messages.
             * @param message Header message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.Header.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Header message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.Header & tendermint.types.Header.$Shape} Header
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.Header & tendermint.types.Header.$Shape;
        }

        namespace Header {

            /** Properties of a Header. */
            interface $Properties {

                /** Header version */
                version?: (tendermint.version.Consensus.$Properties|null);

                /** Header chainId */
                chainId?: (string|null);

                /** Header height */
                height?: (bigint|null);

                /** Header time */
                time?: (google.protobuf.Timestamp.$Properties|null);

                /** Header lastBlockId */
                lastBlockId?: (tendermint.types.BlockID.$Properties|null);

                /** Header lastCommitHash */
                lastCommitHash?: (Uint8Array|null);

                /** Header dataHash */
                dataHash?: (Uint8Array|null);

                /** Header validatorsHash */
                validatorsHash?: (Uint8Array|null);

                /** Header nextValidatorsHash */
                nextValidatorsHash?: (Uint8Array|null);

                /** Header consensusHash */
                consensusHash?: (Uint8Array|null);

                /** Header appHash */
                appHash?: (Uint8Array|null);

                /** Header lastResultsHash */
                lastResultsHash?: (Uint8Array|null);

                /** Header evidenceHash */
                evidenceHash?: (Uint8Array|null);

                /** Header proposerAddress */
                proposerAddress?: (Uint8Array|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Header. */
            type $Shape = tendermint.types.Header.$Properties;
        }

        /**
         * Properties of a Data.
         * @deprecated Use tendermint.types.Data.$Properties instead.
         */
        interface IData extends tendermint.types.Data.$Properties {
        }

        /** Represents a Data. */
        class Data {

            /**
             * Constructs a new Data.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.Data.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Data txs. */
            txs: Uint8Array[];

            /**
             * Encodes the specified Data message. Does not implicitly {@link tendermint.types.Data.verify|verify} messages.
             * @param message Data message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.Data.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Data message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.Data & tendermint.types.Data.$Shape} Data
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.Data & tendermint.types.Data.$Shape;
        }

        namespace Data {

            /** Properties of a Data. */
            interface $Properties {

                /** Data txs */
                txs?: (Uint8Array[]|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Data. */
            type $Shape = tendermint.types.Data.$Properties;
        }

        /**
         * Properties of a Vote.
         * @deprecated Use tendermint.types.Vote.$Properties instead.
         */
        interface IVote extends tendermint.types.Vote.$Properties {
        }

        /** Represents a Vote. */
        class Vote {

            /**
             * Constructs a new Vote.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.Vote.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Vote type. */
            type: tendermint.types.SignedMsgType;

            /** Vote height. */
            height: (bigint);

            /** Vote round. */
            round: number;

            /** Vote blockId. */
            blockId?: (tendermint.types.BlockID.$Properties|null);

            /** Vote timestamp. */
            timestamp?: (google.protobuf.Timestamp.$Properties|null);

            /** Vote validatorAddress. */
            validatorAddress: Uint8Array;

            /** Vote validatorIndex. */
            validatorIndex: number;

            /** Vote signature. */
            signature: Uint8Array;

            /** Vote extension. */
            extension: Uint8Array;

            /** Vote extensionSignature. */
            extensionSignature: Uint8Array;

            /**
             * Encodes the specified Vote message. Does not implicitly {@link tendermint.types.Vote.verify|verify} messages.
             * @param message Vote message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.Vote.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Vote message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.Vote & tendermint.types.Vote.$Shape} Vote
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.Vote & tendermint.types.Vote.$Shape;
        }

        namespace Vote {

            /** Properties of a Vote. */
            interface $Properties {

                /** Vote type */
                type?: (tendermint.types.SignedMsgType|null);

                /** Vote height */
                height?: (bigint|null);

                /** Vote round */
                round?: (number|null);

                /** Vote blockId */
                blockId?: (tendermint.types.BlockID.$Properties|null);

                /** Vote timestamp */
                timestamp?: (google.protobuf.Timestamp.$Properties|null);

                /** Vote validatorAddress */
                validatorAddress?: (Uint8Array|null);

                /** Vote validatorIndex */
                validatorIndex?: (number|null);

                /** Vote signature */
                signature?: (Uint8Array|null);

                /** Vote extension */
                extension?: (Uint8Array|null);

                /** Vote extensionSignature */
                extensionSignature?: (Uint8Array|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Vote. */
            type $Shape = tendermint.types.Vote.$Properties;
        }

        /**
         * Properties of a Commit.
         * @deprecated Use tendermint.types.Commit.$Properties instead.
         */
        interface ICommit extends tendermint.types.Commit.$Properties {
        }

        /** Represents a Commit. */
        class Commit {

            /**
             * Constructs a new Commit.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.Commit.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Commit height. */
            height: (bigint);

            /** Commit round. */
            round: number;

            /** Commit blockId. */
            blockId?: (tendermint.types.BlockID.$Properties|null);

            /** Commit signatures. */
            signatures: tendermint.types.CommitSig.$Properties[];

            /**
             * Encodes the specified Commit message. Does not implicitly {@link tendermint.types.Commit.verify|verify} messages.
             * @param message Commit message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.Commit.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Commit message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.Commit & tendermint.types.Commit.$Shape} Commit
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.Commit & tendermint.types.Commit.$Shape;
        }

        namespace Commit {

            /** Properties of a Commit. */
            interface $Properties {

                /** Commit height */
                height?: (bigint|null);

                /** Commit round */
                round?: (number|null);

                /** Commit blockId */
                blockId?: (tendermint.types.BlockID.$Properties|null);

                /** Commit signatures */
                signatures?: (tendermint.types.CommitSig.$Properties[]|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Commit. */
            type $Shape = tendermint.types.Commit.$Properties;
        }

        /**
         * Properties of a CommitSig.
         * @deprecated Use tendermint.types.CommitSig.$Properties instead.
         */
        interface ICommitSig extends tendermint.types.CommitSig.$Properties {
        }

        /** Represents a CommitSig. */
        class CommitSig {

            /**
             * Constructs a new CommitSig.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.CommitSig.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** CommitSig blockIdFlag. */
            blockIdFlag: tendermint.types.BlockIDFlag;

            /** CommitSig validatorAddress. */
            validatorAddress: Uint8Array;

            /** CommitSig timestamp. */
            timestamp?: (google.protobuf.Timestamp.$Properties|null);

            /** CommitSig signature. */
            signature: Uint8Array;

            /**
             * Encodes the specified CommitSig message. Does not implicitly {@link tendermint.types.CommitSig.verify|verify} messages.
             * @param message CommitSig message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.CommitSig.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a CommitSig message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.CommitSig & tendermint.types.CommitSig.$Shape} CommitSig
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.CommitSig & tendermint.types.CommitSig.$Shape;
        }

        namespace CommitSig {

            /** Properties of a CommitSig. */
            interface $Properties {

                /** CommitSig blockIdFlag */
                blockIdFlag?: (tendermint.types.BlockIDFlag|null);

                /** CommitSig validatorAddress */
                validatorAddress?: (Uint8Array|null);

                /** CommitSig timestamp */
                timestamp?: (google.protobuf.Timestamp.$Properties|null);

                /** CommitSig signature */
                signature?: (Uint8Array|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a CommitSig. */
            type $Shape = tendermint.types.CommitSig.$Properties;
        }

        /**
         * Properties of an ExtendedCommit.
         * @deprecated Use tendermint.types.ExtendedCommit.$Properties instead.
         */
        interface IExtendedCommit extends tendermint.types.ExtendedCommit.$Properties {
        }

        /** Represents an ExtendedCommit. */
        class ExtendedCommit {

            /**
             * Constructs a new ExtendedCommit.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.ExtendedCommit.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** ExtendedCommit height. */
            height: (bigint);

            /** ExtendedCommit round. */
            round: number;

            /** ExtendedCommit blockId. */
            blockId?: (tendermint.types.BlockID.$Properties|null);

            /** ExtendedCommit extendedSignatures. */
            extendedSignatures: tendermint.types.ExtendedCommitSig.$Properties[];

            /**
             * Encodes the specified ExtendedCommit message. Does not implicitly {@link tendermint.types.ExtendedCommit.verify|verify} messages.
             * @param message ExtendedCommit message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.ExtendedCommit.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an ExtendedCommit message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.ExtendedCommit & tendermint.types.ExtendedCommit.$Shape} ExtendedCommit
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.ExtendedCommit & tendermint.types.ExtendedCommit.$Shape;
        }

        namespace ExtendedCommit {

            /** Properties of an ExtendedCommit. */
            interface $Properties {

                /** ExtendedCommit height */
                height?: (bigint|null);

                /** ExtendedCommit round */
                round?: (number|null);

                /** ExtendedCommit blockId */
                blockId?: (tendermint.types.BlockID.$Properties|null);

                /** ExtendedCommit extendedSignatures */
                extendedSignatures?: (tendermint.types.ExtendedCommitSig.$Properties[]|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of an ExtendedCommit. */
            type $Shape = tendermint.types.ExtendedCommit.$Properties;
        }

        /**
         * Properties of an ExtendedCommitSig.
         * @deprecated Use tendermint.types.ExtendedCommitSig.$Properties instead.
         */
        interface IExtendedCommitSig extends tendermint.types.ExtendedCommitSig.$Properties {
        }

        /** Represents an ExtendedCommitSig. */
        class ExtendedCommitSig {

            /**
             * Constructs a new ExtendedCommitSig.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.ExtendedCommitSig.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** ExtendedCommitSig blockIdFlag. */
            blockIdFlag: tendermint.types.BlockIDFlag;

            /** ExtendedCommitSig validatorAddress. */
            validatorAddress: Uint8Array;

            /** ExtendedCommitSig timestamp. */
            timestamp?: (google.protobuf.Timestamp.$Properties|null);

            /** ExtendedCommitSig signature. */
            signature: Uint8Array;

            /** ExtendedCommitSig extension. */
            extension: Uint8Array;

            /** ExtendedCommitSig extensionSignature. */
            extensionSignature: Uint8Array;

            /**
             * Encodes the specified ExtendedCommitSig message. Does not implicitly {@link tendermint.types.ExtendedCommitSig.verify|verify} messages.
             * @param message ExtendedCommitSig message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.ExtendedCommitSig.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an ExtendedCommitSig message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.ExtendedCommitSig & tendermint.types.ExtendedCommitSig.$Shape} ExtendedCommitSig
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.ExtendedCommitSig & tendermint.types.ExtendedCommitSig.$Shape;
        }

        namespace ExtendedCommitSig {

            /** Properties of an ExtendedCommitSig. */
            interface $Properties {

                /** ExtendedCommitSig blockIdFlag */
                blockIdFlag?: (tendermint.types.BlockIDFlag|null);

                /** ExtendedCommitSig validatorAddress */
                validatorAddress?: (Uint8Array|null);

                /** ExtendedCommitSig timestamp */
                timestamp?: (google.protobuf.Timestamp.$Properties|null);

                /** ExtendedCommitSig signature */
                signature?: (Uint8Array|null);

                /** ExtendedCommitSig extension */
                extension?: (Uint8Array|null);

                /** ExtendedCommitSig extensionSignature */
                extensionSignature?: (Uint8Array|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of an ExtendedCommitSig. */
            type $Shape = tendermint.types.ExtendedCommitSig.$Properties;
        }

        /**
         * Properties of a SignedHeader.
         * @deprecated Use tendermint.types.SignedHeader.$Properties instead.
         */
        interface ISignedHeader extends tendermint.types.SignedHeader.$Properties {
        }

        /** Represents a SignedHeader. */
        class SignedHeader {

            /**
             * Constructs a new SignedHeader.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.SignedHeader.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** SignedHeader header. */
            header?: (tendermint.types.Header.$Properties|null);

            /** SignedHeader commit. */
            commit?: (tendermint.types.Commit.$Properties|null);

            /**
             * Encodes the specified SignedHeader message. Does not implicitly {@link tendermint.types.SignedHeader.verify|verify} messages.
             * @param message SignedHeader message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.SignedHeader.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a SignedHeader message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.SignedHeader & tendermint.types.SignedHeader.$Shape} SignedHeader
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.SignedHeader & tendermint.types.SignedHeader.$Shape;
        }

        namespace SignedHeader {

            /** Properties of a SignedHeader. */
            interface $Properties {

                /** SignedHeader header */
                header?: (tendermint.types.Header.$Properties|null);

                /** SignedHeader commit */
                commit?: (tendermint.types.Commit.$Properties|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a SignedHeader. */
            type $Shape = tendermint.types.SignedHeader.$Properties;
        }

        /**
         * Properties of a LightBlock.
         * @deprecated Use tendermint.types.LightBlock.$Properties instead.
         */
        interface ILightBlock extends tendermint.types.LightBlock.$Properties {
        }

        /** Represents a LightBlock. */
        class LightBlock {

            /**
             * Constructs a new LightBlock.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.LightBlock.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** LightBlock signedHeader. */
            signedHeader?: (tendermint.types.SignedHeader.$Properties|null);

            /** LightBlock validatorSet. */
            validatorSet?: (tendermint.types.ValidatorSet.$Properties|null);

            /**
             * Encodes the specified LightBlock message. Does not implicitly {@link tendermint.types.LightBlock.verify|verify} messages.
             * @param message LightBlock message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.LightBlock.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a LightBlock message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.LightBlock & tendermint.types.LightBlock.$Shape} LightBlock
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.LightBlock & tendermint.types.LightBlock.$Shape;
        }

        namespace LightBlock {

            /** Properties of a LightBlock. */
            interface $Properties {

                /** LightBlock signedHeader */
                signedHeader?: (tendermint.types.SignedHeader.$Properties|null);

                /** LightBlock validatorSet */
                validatorSet?: (tendermint.types.ValidatorSet.$Properties|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a LightBlock. */
            type $Shape = {
              signedHeader?: tendermint.types.SignedHeader.$Shape|null;
              validatorSet?: tendermint.types.ValidatorSet.$Shape|null;
              $unknowns?: Uint8Array[];
            };
        }

        /** BlockIDFlag enum. */
        enum BlockIDFlag {

            /** BLOCK_ID_FLAG_UNKNOWN value */
            BLOCK_ID_FLAG_UNKNOWN = 0,

            /** BLOCK_ID_FLAG_ABSENT value */
            BLOCK_ID_FLAG_ABSENT = 1,

            /** BLOCK_ID_FLAG_COMMIT value */
            BLOCK_ID_FLAG_COMMIT = 2,

            /** BLOCK_ID_FLAG_NIL value */
            BLOCK_ID_FLAG_NIL = 3
        }

        /**
         * Properties of a Validator.
         * @deprecated Use tendermint.types.Validator.$Properties instead.
         */
        interface IValidator extends tendermint.types.Validator.$Properties {
        }

        /** Represents a Validator. */
        class Validator {

            /**
             * Constructs a new Validator.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.Validator.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Validator address. */
            address: Uint8Array;

            /** Validator pubKey. */
            pubKey?: (tendermint.crypto.PublicKey.$Properties|null);

            /** Validator votingPower. */
            votingPower: (bigint);

            /** Validator proposerPriority. */
            proposerPriority: (bigint);

            /**
             * Encodes the specified Validator message. Does not implicitly {@link tendermint.types.Validator.verify|verify} messages.
             * @param message Validator message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.Validator.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Validator message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.Validator & tendermint.types.Validator.$Shape} Validator
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.Validator & tendermint.types.Validator.$Shape;
        }

        namespace Validator {

            /** Properties of a Validator. */
            interface $Properties {

                /** Validator address */
                address?: (Uint8Array|null);

                /** Validator pubKey */
                pubKey?: (tendermint.crypto.PublicKey.$Properties|null);

                /** Validator votingPower */
                votingPower?: (bigint|null);

                /** Validator proposerPriority */
                proposerPriority?: (bigint|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Validator. */
            type $Shape = {
              address?: Uint8Array|null;
              pubKey?: tendermint.crypto.PublicKey.$Shape|null;
              votingPower?: bigint|null;
              proposerPriority?: bigint|null;
              $unknowns?: Uint8Array[];
            };
        }

        /**
         * Properties of a ValidatorSet.
         * @deprecated Use tendermint.types.ValidatorSet.$Properties instead.
         */
        interface IValidatorSet extends tendermint.types.ValidatorSet.$Properties {
        }

        /** Represents a ValidatorSet. */
        class ValidatorSet {

            /**
             * Constructs a new ValidatorSet.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.types.ValidatorSet.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** ValidatorSet validators. */
            validators: tendermint.types.Validator.$Properties[];

            /** ValidatorSet proposer. */
            proposer?: (tendermint.types.Validator.$Properties|null);

            /** ValidatorSet totalVotingPower. */
            totalVotingPower: (bigint);

            /**
             * Encodes the specified ValidatorSet message. Does not implicitly {@link tendermint.types.ValidatorSet.verify|verify} messages.
             * @param message ValidatorSet message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.types.ValidatorSet.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a ValidatorSet message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.types.ValidatorSet & tendermint.types.ValidatorSet.$Shape} ValidatorSet
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.types.ValidatorSet & tendermint.types.ValidatorSet.$Shape;
        }

        namespace ValidatorSet {

            /** Properties of a ValidatorSet. */
            interface $Properties {

                /** ValidatorSet validators */
                validators?: (tendermint.types.Validator.$Properties[]|null);

                /** ValidatorSet proposer */
                proposer?: (tendermint.types.Validator.$Properties|null);

                /** ValidatorSet totalVotingPower */
                totalVotingPower?: (bigint|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a ValidatorSet. */
            type $Shape = {
              validators?: tendermint.types.Validator.$Shape[]|null;
              proposer?: tendermint.types.Validator.$Shape|null;
              totalVotingPower?: bigint|null;
              $unknowns?: Uint8Array[];
            };
        }
    }

    /** Namespace crypto. */
    namespace crypto {

        /**
         * Properties of a PublicKey.
         * @deprecated Use tendermint.crypto.PublicKey.$Properties instead.
         */
        interface IPublicKey extends tendermint.crypto.PublicKey.$Properties {
        }

        /** Represents a PublicKey. */
        class PublicKey {

            /**
             * Constructs a new PublicKey.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.crypto.PublicKey.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** PublicKey ed25519. */
            ed25519?: (Uint8Array|null);

            /** PublicKey secp256k1. */
            secp256k1?: (Uint8Array|null);

            /** PublicKey sum. */
            sum?: ("ed25519"|"secp256k1");

            /**
             * Encodes the specified PublicKey message. Does not implicitly {@link tendermint.crypto.PublicKey.verify|verify} messages.
             * @param message PublicKey message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.crypto.PublicKey.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a PublicKey message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.crypto.PublicKey & tendermint.crypto.PublicKey.$Shape} PublicKey
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.crypto.PublicKey & tendermint.crypto.PublicKey.$Shape;
        }

        namespace PublicKey {

            /** Properties of a PublicKey. */
            interface $Properties {

                /** PublicKey ed25519 */
                ed25519?: (Uint8Array|null);

                /** PublicKey secp256k1 */
                secp256k1?: (Uint8Array|null);

                /** PublicKey sum */
                sum?: ("ed25519"|"secp256k1");

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Narrowed shape of a PublicKey. */
            type $Shape = {
              ed25519?: Uint8Array|null;
              secp256k1?: Uint8Array|null;
              $unknowns?: Uint8Array[];
            } & (
              ({ sum?: undefined; ed25519?: null; secp256k1?: null }|{ sum?: "ed25519"; ed25519: Uint8Array; secp256k1?: null }|{ sum?: "secp256k1"; ed25519?: null; secp256k1: Uint8Array })
            );
        }
    }

    /** Namespace version. */
    namespace version {

        /**
         * Properties of a Consensus.
         * @deprecated Use tendermint.version.Consensus.$Properties instead.
         */
        interface IConsensus extends tendermint.version.Consensus.$Properties {
        }

        /** Represents a Consensus. */
        class Consensus {

            /**
             * Constructs a new Consensus.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.version.Consensus.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Consensus block. */
            block: (bigint);

            /** Consensus app. */
            app: (bigint);

            /**
             * Encodes the specified Consensus message. Does not implicitly {@link tendermint.version.Consensus.verify|verify} messages.
             * @param message Consensus message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.version.Consensus.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Consensus message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.version.Consensus & tendermint.version.Consensus.$Shape} Consensus
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.version.Consensus & tendermint.version.Consensus.$Shape;
        }

        namespace Consensus {

            /** Properties of a Consensus. */
            interface $Properties {

                /** Consensus block */
                block?: (bigint|null);

                /** Consensus app */
                app?: (bigint|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Consensus. */
            type $Shape = tendermint.version.Consensus.$Properties;
        }
    }

    /** Namespace p2p. */
    namespace p2p {

        /**
         * Properties of a PacketPing.
         * @deprecated Use tendermint.p2p.PacketPing.$Properties instead.
         */
        interface IPacketPing extends tendermint.p2p.PacketPing.$Properties {
        }

        /** Represents a PacketPing. */
        class PacketPing {

            /**
             * Constructs a new PacketPing.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.p2p.PacketPing.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /**
             * Encodes the specified PacketPing message. Does not implicitly {@link tendermint.p2p.PacketPing.verify|verify} messages.
             * @param message PacketPing message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.p2p.PacketPing.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a PacketPing message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.p2p.PacketPing & tendermint.p2p.PacketPing.$Shape} PacketPing
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.p2p.PacketPing & tendermint.p2p.PacketPing.$Shape;
        }

        namespace PacketPing {

            /** Properties of a PacketPing. */
            interface $Properties {

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a PacketPing. */
            type $Shape = tendermint.p2p.PacketPing.$Properties;
        }

        /**
         * Properties of a PacketPong.
         * @deprecated Use tendermint.p2p.PacketPong.$Properties instead.
         */
        interface IPacketPong extends tendermint.p2p.PacketPong.$Properties {
        }

        /** Represents a PacketPong. */
        class PacketPong {

            /**
             * Constructs a new PacketPong.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.p2p.PacketPong.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /**
             * Encodes the specified PacketPong message. Does not implicitly {@link tendermint.p2p.PacketPong.verify|verify} messages.
             * @param message PacketPong message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.p2p.PacketPong.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a PacketPong message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.p2p.PacketPong & tendermint.p2p.PacketPong.$Shape} PacketPong
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.p2p.PacketPong & tendermint.p2p.PacketPong.$Shape;
        }

        namespace PacketPong {

            /** Properties of a PacketPong. */
            interface $Properties {

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a PacketPong. */
            type $Shape = tendermint.p2p.PacketPong.$Properties;
        }

        /**
         * Properties of a PacketMsg.
         * @deprecated Use tendermint.p2p.PacketMsg.$Properties instead.
         */
        interface IPacketMsg extends tendermint.p2p.PacketMsg.$Properties {
        }

        /** Represents a PacketMsg. */
        class PacketMsg {

            /**
             * Constructs a new PacketMsg.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.p2p.PacketMsg.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** PacketMsg channelId. */
            channelId: number;

            /** PacketMsg eof. */
            eof: boolean;

            /** PacketMsg data. */
            data: Uint8Array;

            /**
             * Encodes the specified PacketMsg message. Does not implicitly {@link tendermint.p2p.PacketMsg.verify|verify} messages.
             * @param message PacketMsg message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.p2p.PacketMsg.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a PacketMsg message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.p2p.PacketMsg & tendermint.p2p.PacketMsg.$Shape} PacketMsg
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.p2p.PacketMsg & tendermint.p2p.PacketMsg.$Shape;
        }

        namespace PacketMsg {

            /** Properties of a PacketMsg. */
            interface $Properties {

                /** PacketMsg channelId */
                channelId?: (number|null);

                /** PacketMsg eof */
                eof?: (boolean|null);

                /** PacketMsg data */
                data?: (Uint8Array|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a PacketMsg. */
            type $Shape = tendermint.p2p.PacketMsg.$Properties;
        }

        /**
         * Properties of a Packet.
         * @deprecated Use tendermint.p2p.Packet.$Properties instead.
         */
        interface IPacket extends tendermint.p2p.Packet.$Properties {
        }

        /** Represents a Packet. */
        class Packet {

            /**
             * Constructs a new Packet.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.p2p.Packet.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Packet packetPing. */
            packetPing?: (tendermint.p2p.PacketPing.$Properties|null);

            /** Packet packetPong. */
            packetPong?: (tendermint.p2p.PacketPong.$Properties|null);

            /** Packet packetMsg. */
            packetMsg?: (tendermint.p2p.PacketMsg.$Properties|null);

            /** Packet sum. */
            sum?: ("packetPing"|"packetPong"|"packetMsg");

            /**
             * Encodes the specified Packet message. Does not implicitly {@link tendermint.p2p.Packet.verify|verify} messages.
             * @param message Packet message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.p2p.Packet.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Packet message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.p2p.Packet & tendermint.p2p.Packet.$Shape} Packet
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.p2p.Packet & tendermint.p2p.Packet.$Shape;
        }

        namespace Packet {

            /** Properties of a Packet. */
            interface $Properties {

                /** Packet packetPing */
                packetPing?: (tendermint.p2p.PacketPing.$Properties|null);

                /** Packet packetPong */
                packetPong?: (tendermint.p2p.PacketPong.$Properties|null);

                /** Packet packetMsg */
                packetMsg?: (tendermint.p2p.PacketMsg.$Properties|null);

                /** Packet sum */
                sum?: ("packetPing"|"packetPong"|"packetMsg");

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Narrowed shape of a Packet. */
            type $Shape = {
              packetPing?: tendermint.p2p.PacketPing.$Shape|null;
              packetPong?: tendermint.p2p.PacketPong.$Shape|null;
              packetMsg?: tendermint.p2p.PacketMsg.$Shape|null;
              $unknowns?: Uint8Array[];
            } & (
              ({ sum?: undefined; packetPing?: null; packetPong?: null; packetMsg?: null }|{ sum?: "packetPing"; packetPing: tendermint.p2p.PacketPing.$Shape; packetPong?: null; packetMsg?: null }|{ sum?: "packetPong"; packetPing?: null; packetPong: tendermint.p2p.PacketPong.$Shape; packetMsg?: null }|{ sum?: "packetMsg"; packetPing?: null; packetPong?: null; packetMsg: tendermint.p2p.PacketMsg.$Shape })
            );
        }

        /**
         * Properties of an AuthSigMessage.
         * @deprecated Use tendermint.p2p.AuthSigMessage.$Properties instead.
         */
        interface IAuthSigMessage extends tendermint.p2p.AuthSigMessage.$Properties {
        }

        /** Represents an AuthSigMessage. */
        class AuthSigMessage {

            /**
             * Constructs a new AuthSigMessage.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.p2p.AuthSigMessage.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** AuthSigMessage pubKey. */
            pubKey?: (tendermint.crypto.PublicKey.$Properties|null);

            /** AuthSigMessage sig. */
            sig: Uint8Array;

            /**
             * Encodes the specified AuthSigMessage message. Does not implicitly {@link tendermint.p2p.AuthSigMessage.verify|verify} messages.
             * @param message AuthSigMessage message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.p2p.AuthSigMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an AuthSigMessage message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.p2p.AuthSigMessage & tendermint.p2p.AuthSigMessage.$Shape} AuthSigMessage
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.p2p.AuthSigMessage & tendermint.p2p.AuthSigMessage.$Shape;
        }

        namespace AuthSigMessage {

            /** Properties of an AuthSigMessage. */
            interface $Properties {

                /** AuthSigMessage pubKey */
                pubKey?: (tendermint.crypto.PublicKey.$Properties|null);

                /** AuthSigMessage sig */
                sig?: (Uint8Array|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of an AuthSigMessage. */
            type $Shape = {
              pubKey?: tendermint.crypto.PublicKey.$Shape|null;
              sig?: Uint8Array|null;
              $unknowns?: Uint8Array[];
            };
        }

        /**
         * Properties of a PexRequest.
         * @deprecated Use tendermint.p2p.PexRequest.$Properties instead.
         */
        interface IPexRequest extends tendermint.p2p.PexRequest.$Properties {
        }

        /** Represents a PexRequest. */
        class PexRequest {

            /**
             * Constructs a new PexRequest.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.p2p.PexRequest.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /**
             * Encodes the specified PexRequest message. Does not implicitly {@link tendermint.p2p.PexRequest.verify|verify} messages.
             * @param message PexRequest message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.p2p.PexRequest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a PexRequest message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.p2p.PexRequest & tendermint.p2p.PexRequest.$Shape} PexRequest
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.p2p.PexRequest & tendermint.p2p.PexRequest.$Shape;
        }

        namespace PexRequest {

            /** Properties of a PexRequest. */
            interface $Properties {

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a PexRequest. */
            type $Shape = tendermint.p2p.PexRequest.$Properties;
        }

        /**
         * Properties of a PexAddress.
         * @deprecated Use tendermint.p2p.PexAddress.$Properties instead.
         */
        interface IPexAddress extends tendermint.p2p.PexAddress.$Properties {
        }

        /** Represents a PexAddress. */
        class PexAddress {

            /**
             * Constructs a new PexAddress.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.p2p.PexAddress.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** PexAddress id. */
            id: string;

            /** PexAddress ip. */
            ip: string;

            /** PexAddress port. */
            port: number;

            /**
             * Encodes the specified PexAddress message. Does not implicitly {@link tendermint.p2p.PexAddress.verify|verify} messages.
             * @param message PexAddress message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.p2p.PexAddress.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a PexAddress message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.p2p.PexAddress & tendermint.p2p.PexAddress.$Shape} PexAddress
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.p2p.PexAddress & tendermint.p2p.PexAddress.$Shape;
        }

        namespace PexAddress {

            /** Properties of a PexAddress. */
            interface $Properties {

                /** PexAddress id */
                id?: (string|null);

                /** PexAddress ip */
                ip?: (string|null);

                /** PexAddress port */
                port?: (number|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a PexAddress. */
            type $Shape = tendermint.p2p.PexAddress.$Properties;
        }

        /**
         * Properties of a PexResponse.
         * @deprecated Use tendermint.p2p.PexResponse.$Properties instead.
         */
        interface IPexResponse extends tendermint.p2p.PexResponse.$Properties {
        }

        /** Represents a PexResponse. */
        class PexResponse {

            /**
             * Constructs a new PexResponse.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.p2p.PexResponse.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** PexResponse addresses. */
            addresses: tendermint.p2p.PexAddress.$Properties[];

            /**
             * Encodes the specified PexResponse message. Does not implicitly {@link tendermint.p2p.PexResponse.verify|verify} messages.
             * @param message PexResponse message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.p2p.PexResponse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a PexResponse message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.p2p.PexResponse & tendermint.p2p.PexResponse.$Shape} PexResponse
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.p2p.PexResponse & tendermint.p2p.PexResponse.$Shape;
        }

        namespace PexResponse {

            /** Properties of a PexResponse. */
            interface $Properties {

                /** PexResponse addresses */
                addresses?: (tendermint.p2p.PexAddress.$Properties[]|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a PexResponse. */
            type $Shape = tendermint.p2p.PexResponse.$Properties;
        }

        /**
         * Properties of a PexRequestV2.
         * @deprecated Use tendermint.p2p.PexRequestV2.$Properties instead.
         */
        interface IPexRequestV2 extends tendermint.p2p.PexRequestV2.$Properties {
        }

        /** Represents a PexRequestV2. */
        class PexRequestV2 {

            /**
             * Constructs a new PexRequestV2.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.p2p.PexRequestV2.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /**
             * Encodes the specified PexRequestV2 message. Does not implicitly {@link tendermint.p2p.PexRequestV2.verify|verify} messages.
             * @param message PexRequestV2 message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.p2p.PexRequestV2.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a PexRequestV2 message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.p2p.PexRequestV2 & tendermint.p2p.PexRequestV2.$Shape} PexRequestV2
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.p2p.PexRequestV2 & tendermint.p2p.PexRequestV2.$Shape;
        }

        namespace PexRequestV2 {

            /** Properties of a PexRequestV2. */
            interface $Properties {

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a PexRequestV2. */
            type $Shape = tendermint.p2p.PexRequestV2.$Properties;
        }

        /**
         * Properties of a PexAddressV2.
         * @deprecated Use tendermint.p2p.PexAddressV2.$Properties instead.
         */
        interface IPexAddressV2 extends tendermint.p2p.PexAddressV2.$Properties {
        }

        /** Represents a PexAddressV2. */
        class PexAddressV2 {

            /**
             * Constructs a new PexAddressV2.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.p2p.PexAddressV2.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** PexAddressV2 url. */
            url: string;

            /**
             * Encodes the specified PexAddressV2 message. Does not implicitly {@link tendermint.p2p.PexAddressV2.verify|verify} messages.
             * @param message PexAddressV2 message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.p2p.PexAddressV2.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a PexAddressV2 message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.p2p.PexAddressV2 & tendermint.p2p.PexAddressV2.$Shape} PexAddressV2
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.p2p.PexAddressV2 & tendermint.p2p.PexAddressV2.$Shape;
        }

        namespace PexAddressV2 {

            /** Properties of a PexAddressV2. */
            interface $Properties {

                /** PexAddressV2 url */
                url?: (string|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a PexAddressV2. */
            type $Shape = tendermint.p2p.PexAddressV2.$Properties;
        }

        /**
         * Properties of a PexResponseV2.
         * @deprecated Use tendermint.p2p.PexResponseV2.$Properties instead.
         */
        interface IPexResponseV2 extends tendermint.p2p.PexResponseV2.$Properties {
        }

        /** Represents a PexResponseV2. */
        class PexResponseV2 {

            /**
             * Constructs a new PexResponseV2.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.p2p.PexResponseV2.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** PexResponseV2 addresses. */
            addresses: tendermint.p2p.PexAddressV2.$Properties[];

            /**
             * Encodes the specified PexResponseV2 message. Does not implicitly {@link tendermint.p2p.PexResponseV2.verify|verify} messages.
             * @param message PexResponseV2 message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.p2p.PexResponseV2.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a PexResponseV2 message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.p2p.PexResponseV2 & tendermint.p2p.PexResponseV2.$Shape} PexResponseV2
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.p2p.PexResponseV2 & tendermint.p2p.PexResponseV2.$Shape;
        }

        namespace PexResponseV2 {

            /** Properties of a PexResponseV2. */
            interface $Properties {

                /** PexResponseV2 addresses */
                addresses?: (tendermint.p2p.PexAddressV2.$Properties[]|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a PexResponseV2. */
            type $Shape = tendermint.p2p.PexResponseV2.$Properties;
        }

        /**
         * Properties of a PexMessage.
         * @deprecated Use tendermint.p2p.PexMessage.$Properties instead.
         */
        interface IPexMessage extends tendermint.p2p.PexMessage.$Properties {
        }

        /** Represents a PexMessage. */
        class PexMessage {

            /**
             * Constructs a new PexMessage.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.p2p.PexMessage.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** PexMessage pexRequest. */
            pexRequest?: (tendermint.p2p.PexRequest.$Properties|null);

            /** PexMessage pexResponse. */
            pexResponse?: (tendermint.p2p.PexResponse.$Properties|null);

            /** PexMessage pexRequestV2. */
            pexRequestV2?: (tendermint.p2p.PexRequestV2.$Properties|null);

            /** PexMessage pexResponseV2. */
            pexResponseV2?: (tendermint.p2p.PexResponseV2.$Properties|null);

            /** PexMessage sum. */
            sum?: ("pexRequest"|"pexResponse"|"pexRequestV2"|"pexResponseV2");

            /**
             * Encodes the specified PexMessage message. Does not implicitly {@link tendermint.p2p.PexMessage.verify|verify} messages.
             * @param message PexMessage message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.p2p.PexMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a PexMessage message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.p2p.PexMessage & tendermint.p2p.PexMessage.$Shape} PexMessage
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.p2p.PexMessage & tendermint.p2p.PexMessage.$Shape;
        }

        namespace PexMessage {

            /** Properties of a PexMessage. */
            interface $Properties {

                /** PexMessage pexRequest */
                pexRequest?: (tendermint.p2p.PexRequest.$Properties|null);

                /** PexMessage pexResponse */
                pexResponse?: (tendermint.p2p.PexResponse.$Properties|null);

                /** PexMessage pexRequestV2 */
                pexRequestV2?: (tendermint.p2p.PexRequestV2.$Properties|null);

                /** PexMessage pexResponseV2 */
                pexResponseV2?: (tendermint.p2p.PexResponseV2.$Properties|null);

                /** PexMessage sum */
                sum?: ("pexRequest"|"pexResponse"|"pexRequestV2"|"pexResponseV2");

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Narrowed shape of a PexMessage. */
            type $Shape = {
              pexRequest?: tendermint.p2p.PexRequest.$Shape|null;
              pexResponse?: tendermint.p2p.PexResponse.$Shape|null;
              pexRequestV2?: tendermint.p2p.PexRequestV2.$Shape|null;
              pexResponseV2?: tendermint.p2p.PexResponseV2.$Shape|null;
              $unknowns?: Uint8Array[];
            } & (
              ({ sum?: undefined; pexRequest?: null; pexResponse?: null; pexRequestV2?: null; pexResponseV2?: null }|{ sum?: "pexRequest"; pexRequest: tendermint.p2p.PexRequest.$Shape; pexResponse?: null; pexRequestV2?: null; pexResponseV2?: null }|{ sum?: "pexResponse"; pexRequest?: null; pexResponse: tendermint.p2p.PexResponse.$Shape; pexRequestV2?: null; pexResponseV2?: null }|{ sum?: "pexRequestV2"; pexRequest?: null; pexResponse?: null; pexRequestV2: tendermint.p2p.PexRequestV2.$Shape; pexResponseV2?: null }|{ sum?: "pexResponseV2"; pexRequest?: null; pexResponse?: null; pexRequestV2?: null; pexResponseV2: tendermint.p2p.PexResponseV2.$Shape })
            );
        }

        /**
         * Properties of a ProtocolVersion.
         * @deprecated Use tendermint.p2p.ProtocolVersion.$Properties instead.
         */
        interface IProtocolVersion extends tendermint.p2p.ProtocolVersion.$Properties {
        }

        /** Represents a ProtocolVersion. */
        class ProtocolVersion {

            /**
             * Constructs a new ProtocolVersion.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.p2p.ProtocolVersion.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** ProtocolVersion p2p. */
            p2p: (bigint);

            /** ProtocolVersion block. */
            block: (bigint);

            /** ProtocolVersion app. */
            app: (bigint);

            /**
             * Encodes the specified ProtocolVersion message. Does not implicitly {@link tendermint.p2p.ProtocolVersion.verify|verify} messages.
             * @param message ProtocolVersion message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.p2p.ProtocolVersion.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a ProtocolVersion message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.p2p.ProtocolVersion & tendermint.p2p.ProtocolVersion.$Shape} ProtocolVersion
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.p2p.ProtocolVersion & tendermint.p2p.ProtocolVersion.$Shape;
        }

        namespace ProtocolVersion {

            /** Properties of a ProtocolVersion. */
            interface $Properties {

                /** ProtocolVersion p2p */
                p2p?: (bigint|null);

                /** ProtocolVersion block */
                block?: (bigint|null);

                /** ProtocolVersion app */
                app?: (bigint|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a ProtocolVersion. */
            type $Shape = tendermint.p2p.ProtocolVersion.$Properties;
        }

        /**
         * Properties of a NodeInfo.
         * @deprecated Use tendermint.p2p.NodeInfo.$Properties instead.
         */
        interface INodeInfo extends tendermint.p2p.NodeInfo.$Properties {
        }

        /** Represents a NodeInfo. */
        class NodeInfo {

            /**
             * Constructs a new NodeInfo.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.p2p.NodeInfo.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** NodeInfo protocolVersion. */
            protocolVersion?: (tendermint.p2p.ProtocolVersion.$Properties|null);

            /** NodeInfo nodeId. */
            nodeId: string;

            /** NodeInfo listenAddr. */
            listenAddr: string;

            /** NodeInfo network. */
            network: string;

            /** NodeInfo version. */
            version: string;

            /** NodeInfo channels. */
            channels: Uint8Array;

            /** NodeInfo moniker. */
            moniker: string;

            /** NodeInfo other. */
            other?: (tendermint.p2p.NodeInfoOther.$Properties|null);

            /**
             * Encodes the specified NodeInfo message. Does not implicitly {@link tendermint.p2p.NodeInfo.verify|verify} messages.
             * @param message NodeInfo message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.p2p.NodeInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a NodeInfo message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.p2p.NodeInfo & tendermint.p2p.NodeInfo.$Shape} NodeInfo
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.p2p.NodeInfo & tendermint.p2p.NodeInfo.$Shape;
        }

        namespace NodeInfo {

            /** Properties of a NodeInfo. */
            interface $Properties {

                /** NodeInfo protocolVersion */
                protocolVersion?: (tendermint.p2p.ProtocolVersion.$Properties|null);

                /** NodeInfo nodeId */
                nodeId?: (string|null);

                /** NodeInfo listenAddr */
                listenAddr?: (string|null);

                /** NodeInfo network */
                network?: (string|null);

                /** NodeInfo version */
                version?: (string|null);

                /** NodeInfo channels */
                channels?: (Uint8Array|null);

                /** NodeInfo moniker */
                moniker?: (string|null);

                /** NodeInfo other */
                other?: (tendermint.p2p.NodeInfoOther.$Properties|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a NodeInfo. */
            type $Shape = tendermint.p2p.NodeInfo.$Properties;
        }

        /**
         * Properties of a NodeInfoOther.
         * @deprecated Use tendermint.p2p.NodeInfoOther.$Properties instead.
         */
        interface INodeInfoOther extends tendermint.p2p.NodeInfoOther.$Properties {
        }

        /** Represents a NodeInfoOther. */
        class NodeInfoOther {

            /**
             * Constructs a new NodeInfoOther.
             * @param [properties] Properties to set
             */
            constructor(properties?: tendermint.p2p.NodeInfoOther.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** NodeInfoOther txIndex. */
            txIndex: string;

            /** NodeInfoOther rpcAddress. */
            rpcAddress: string;

            /**
             * Encodes the specified NodeInfoOther message. Does not implicitly {@link tendermint.p2p.NodeInfoOther.verify|verify} messages.
             * @param message NodeInfoOther message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: tendermint.p2p.NodeInfoOther.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a NodeInfoOther message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {tendermint.p2p.NodeInfoOther & tendermint.p2p.NodeInfoOther.$Shape} NodeInfoOther
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): tendermint.p2p.NodeInfoOther & tendermint.p2p.NodeInfoOther.$Shape;
        }

        namespace NodeInfoOther {

            /** Properties of a NodeInfoOther. */
            interface $Properties {

                /** NodeInfoOther txIndex */
                txIndex?: (string|null);

                /** NodeInfoOther rpcAddress */
                rpcAddress?: (string|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a NodeInfoOther. */
            type $Shape = tendermint.p2p.NodeInfoOther.$Properties;
        }
    }
}

/** Namespace google. */
export namespace google {

    /** Namespace protobuf. */
    namespace protobuf {

        /**
         * Properties of a Timestamp.
         * @deprecated Use google.protobuf.Timestamp.$Properties instead.
         */
        interface ITimestamp extends google.protobuf.Timestamp.$Properties {
        }

        /** Represents a Timestamp. */
        class Timestamp {

            /**
             * Constructs a new Timestamp.
             * @param [properties] Properties to set
             */
            constructor(properties?: google.protobuf.Timestamp.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Timestamp seconds. */
            seconds: (bigint);

            /** Timestamp nanos. */
            nanos: number;

            /**
             * Encodes the specified Timestamp message. Does not implicitly {@link google.protobuf.Timestamp.verify|verify} messages.
             * @param message Timestamp message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: google.protobuf.Timestamp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Timestamp message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {google.protobuf.Timestamp & google.protobuf.Timestamp.$Shape} Timestamp
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): google.protobuf.Timestamp & google.protobuf.Timestamp.$Shape;
        }

        namespace Timestamp {

            /** Properties of a Timestamp. */
            interface $Properties {

                /** Timestamp seconds */
                seconds?: (bigint|null);

                /** Timestamp nanos */
                nanos?: (number|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Timestamp. */
            type $Shape = google.protobuf.Timestamp.$Properties;
        }
    }
}
